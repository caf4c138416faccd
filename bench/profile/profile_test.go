package profile_test

import (
	"os"
	"path/filepath"
	"testing"

	pprof "github.com/google/pprof/profile"

	"github.com/tidemark/tidemark/bench/profile"
)

// made is a CPU profile of known samples.
func made(t *testing.T) string {
	t.Helper()
	p := &pprof.Profile{
		SampleType: []*pprof.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &pprof.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1,
	}
	locations := map[string]*pprof.Location{}
	at := func(name string) *pprof.Location {
		if l, ok := locations[name]; ok {
			return l
		}
		f := &pprof.Function{ID: uint64(len(locations) + 1), Name: name}
		l := &pprof.Location{ID: f.ID, Line: []pprof.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		locations[name] = l
		return l
	}
	sample := func(nanos int64, operator, phase string, stack ...string) {
		s := &pprof.Sample{Value: []int64{1, nanos}}
		for _, name := range stack {
			s.Location = append(s.Location, at(name))
		}
		if operator != "" {
			s.Label = map[string][]string{"operator": {operator}, "phase": {phase}}
		}
		p.Sample = append(p.Sample, s)
	}
	sample(60, "count", "process", "leaf", "main")
	sample(20, "count", "persist", "main", "main") // recursion counts once
	sample(20, "", "", "mark", "runtime.gcBgMarkWorker")
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCosts(t *testing.T) {
	c, err := profile.Read(made(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	if c.Seconds != 100e-9 || c.GC != 0.2 {
		t.Errorf("%v s, %v of it collecting; want 1e-07, 0.2", c.Seconds, c.GC)
	}
	for _, part := range []struct {
		name      string
		got, want []profile.Cost
	}{
		{"flat", c.Flat, []profile.Cost{{Name: "leaf", Share: 0.6}, {Name: "main", Share: 0.2}}},
		{"cumulative", c.Callers, []profile.Cost{{Name: "main", Share: 0.8}, {Name: "leaf", Share: 0.6}}},
		{"operators", c.Operators, []profile.Cost{{Name: "count/process", Share: 0.6}, {Name: "-", Share: 0.2}}},
	} {
		if len(part.got) != 2 || part.got[0] != part.want[0] || part.got[1] != part.want[1] {
			t.Errorf("%s: %v, want %v", part.name, part.got, part.want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	if _, err := profile.Read(path, 1); err == nil {
		t.Error("a missing profile was read")
	}
	if err := os.WriteFile(path, []byte("no profile"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Read(path, 1); err == nil {
		t.Error("a file that is no profile was read")
	}
}
