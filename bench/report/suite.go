package report

import (
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/cmd/launch"
)

// Suite is the report of all experiments.
type Suite struct {
	Head
	Experiments []Experiment `json:"experiments"`
	// LeftOut are the experiments that did not run, with why.
	LeftOut []LeftOut `json:"left_out"`
	Charts  []Chart   `json:"charts,omitempty"`
}

// Chart is a picture of figures that the report has.
type Chart struct {
	Name  string `json:"name"` // of a-z and '-'
	Title string `json:"title"`
	// File is where Write wrote it, beside the report; empty before.
	File string `json:"file"`
	SVG  []byte `json:"-"`
}

// LeftOut is what did not run.
type LeftOut struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Experiment is a set of arms that ran interleaved.
type Experiment struct {
	Name  string   `json:"name"`
	About string   `json:"about"`
	Rows  []Row    `json:"rows"`
	Arms  []Arm    `json:"arms"`
	Notes []string `json:"notes,omitempty"`
	// Error is why it ended early; the rows are of the rounds until then.
	Error string `json:"error,omitempty"`
}

// Row is one figure of an experiment: a ratio of two arms, or, where Against is
// empty, a value of one.
type Row struct {
	Figure  string `json:"figure"`
	Arm     string `json:"arm"`
	Against string `json:"against,omitempty"`
	// Ratio is of the paired ratios, or of the values where there is no other
	// arm.
	Ratio measure.Summary `json:"ratio"`
	// ArmValue and AgainstValue are of the arms' own values.
	ArmValue     measure.Summary `json:"arm_value"`
	AgainstValue measure.Summary `json:"against_value"`
	Bar          measure.Bar     `json:"bar"`
	Verdict      measure.Verdict `json:"verdict,omitempty"`
}

// Arm is what one arm did, round by round.
type Arm struct {
	Name    string               `json:"name"`
	Command string               `json:"command"`
	Values  map[string][]float64 `json:"values"`
	// Series are those of its runs, where the experiment is about them.
	Series [][]launch.Point `json:"series,omitempty"`
}

// Markdown renders the report.
func (s Suite) Markdown() string {
	var b strings.Builder
	s.Head.markdown(&b)
	b.WriteString("Every ratio is the median over interleaved rounds of the ratio within a round, with its interval of confidence (bootstrap) and its range. " +
		"CPU is that of whole processes. \"Open\" means that the interval lies on both sides of the bar.\n\n")
	s.bars(&b)
	for _, c := range s.Charts {
		if c.File != "" {
			fmt.Fprintf(&b, "![%s](%s)\n\n", c.Title, c.File)
		}
	}
	for _, e := range s.Experiments {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", e.Name, e.About)
		if e.Error != "" {
			fmt.Fprintf(&b, "**It ended early:** %s\n\n", e.Error)
		}
		rowTable(&b, e.Rows)
		e.costs(&b)
		for _, n := range e.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
		if len(e.Notes) > 0 {
			b.WriteString("\n")
		}
		for _, a := range e.Arms {
			if a.Command != "" {
				fmt.Fprintf(&b, "- %s: `%s`\n", a.Name, a.Command)
			}
		}
		b.WriteString("\n")
	}
	if len(s.LeftOut) > 0 {
		b.WriteString("## Left out\n\n")
		for _, l := range s.LeftOut {
			fmt.Fprintf(&b, "- %s: %s\n", l.Name, l.Why)
		}
	}
	return b.String()
}

// The figures of costs: what every arm that runs a job has.
const (
	CPUMicros = "CPU µs per event"
	GCShare   = "GC share of CPU"
	AllocsPer = "allocations per event"
	RSSBytes  = "RSS bytes"
)

// costs lists what the arms that run a job cost, medians of their rounds.
func (e Experiment) costs(b *strings.Builder) {
	var rows [][]string
	for _, a := range e.Arms {
		if len(a.Values[AllocsPer]) == 0 {
			continue
		}
		median := func(name string) float64 { return measure.Summarize(a.Values[name]).Median }
		memory := ""
		if len(a.Values[RSSBytes]) > 0 {
			memory = Bytes(int64(median(RSSBytes)))
		}
		rows = append(rows, []string{a.Name, Number(median(CPUMicros)), fmt.Sprintf("%.1f %%", 100*median(GCShare)), Number(median(AllocsPer)), memory})
	}
	if len(rows) > 0 {
		table(b, []string{"arm", CPUMicros, "of it Go's collector", AllocsPer, "greatest RSS"}, rows)
	}
}

// bars sums up what has a bar.
func (s Suite) bars(b *strings.Builder) {
	var rows [][]string
	for _, e := range s.Experiments {
		for _, r := range e.Rows {
			if r.Verdict == measure.NoBar {
				continue
			}
			name := r.Figure + ": " + r.Arm
			if r.Against != "" {
				name += " beside " + r.Against
			}
			rows = append(rows, []string{e.Name, name, Number(r.Ratio.Median), r.Bar.String(), string(r.Verdict)})
		}
	}
	if len(rows) > 0 {
		b.WriteString("## Bars\n\n")
		table(b, []string{"experiment", "figure", "median", "bar", ""}, rows)
	}
}
