package profile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Cost is the share of one thing in a CPU profile.
type Cost struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // of all CPU time, 0 to 1
}

// Costs are where the CPU time of a profile went, the greatest first.
type Costs struct {
	Seconds   float64 `json:"cpu_s"`
	Flat      []Cost  `json:"flat"`       // in the function itself
	Callers   []Cost  `json:"cumulative"` // in the function and what it calls
	Operators []Cost  `json:"operators"`  // by "operator/phase"; "-" has no label
	GC        float64 `json:"gc_share"`   // collecting and helping to collect
}

// native is the name of C code, which a profile of Go cannot tell apart; what Go
// called of it counts as runtime.cgocall.
const native = "(native)"

// unlabelled is the name of the samples without labels.
const unlabelled = "-"

// Read reads a CPU profile and keeps the top costs of each kind.
func Read(path string, top int) (Costs, error) {
	f, err := os.Open(path)
	if err != nil {
		return Costs{}, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return Costs{}, fmt.Errorf("profile %s: %w", path, err)
	}
	return costs(p, top), nil
}

func costs(p *profile.Profile, top int) Costs {
	flat, cum, labels := map[string]int64{}, map[string]int64{}, map[string]int64{}
	var total, gc int64
	for _, s := range p.Sample {
		nanos := s.Value[len(s.Value)-1]
		total += nanos
		labels[label(s)] += nanos
		seen := map[string]bool{}
		for i, loc := range s.Location {
			for j, line := range loc.Line {
				name := native
				if line.Function != nil && line.Function.Name != "" {
					name = line.Function.Name
				}
				if i == 0 && j == 0 {
					flat[name] += nanos
				}
				if !seen[name] {
					seen[name] = true
					cum[name] += nanos
				}
			}
			if len(loc.Line) == 0 && i == 0 {
				flat[native] += nanos
			}
		}
		if seen["runtime.gcBgMarkWorker"] || seen["runtime.gcAssistAlloc"] || seen["runtime.bgsweep"] {
			gc += nanos
		}
	}
	if total == 0 {
		return Costs{}
	}
	return Costs{
		Seconds: float64(total) / 1e9, GC: float64(gc) / float64(total),
		Flat: ranked(flat, total, top), Callers: ranked(cum, total, top), Operators: ranked(labels, total, top),
	}
}

func label(s *profile.Sample) string {
	operator, phase := s.Label["operator"], s.Label["phase"]
	if len(operator) == 0 && len(phase) == 0 {
		return unlabelled
	}
	return strings.Join(operator, ",") + "/" + strings.Join(phase, ",")
}

func ranked(nanos map[string]int64, total int64, top int) []Cost {
	var list []Cost
	for name, n := range nanos {
		list = append(list, Cost{name, float64(n) / float64(total)})
	}
	slices.SortFunc(list, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), top)]
}
