package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/launch"
)

// Sample is what an arm measured in one round, by the name of the figure.
type Sample struct {
	Values map[string]float64
	// Digest is that of the arm's result. Empty: it has none.
	Digest string
	// Series, if set, is what the report keeps of the run's course.
	Series []launch.Point
	// Note is a remark for the report, which has it once.
	Note string
}

// Arm is one of the things that an experiment compares.
type Arm struct {
	Name    string
	Command string // what a person would type; empty: nothing that one could
	Run     func(ctx context.Context) (Sample, error)
}

// Comparison is a figure of a report: Arm's value divided by Against's, or Arm's value
// if Against is empty.
type Comparison struct {
	Value   string // name of the figure in the samples
	Label   string // what the report calls it; empty: Value
	Arm     string
	Against string
	Bar     measure.Bar
}

// Experiment is a set of arms.
type Experiment struct {
	Name, About string
	Arms        []Arm
	Compare     []Comparison
	// Digest is the known digest of the results. Empty: it is not known, and all
	// arms that have a digest must agree.
	Digest string
	// Rounds, if not zero, bounds the rounds: for figures that are counts, or take
	// long.
	Rounds int
	// Begin, if set, prepares what the arms need, and returns what ends it.
	Begin func(ctx context.Context) (end func() error, err error)
}

// errDigest: an arm's result is not that of the others, or not the known one.
var errDigest = errors.New("wrong digest")

// Run runs the experiment's rounds, with a line in log for each run. An error ends
// it; the result has the rounds before.
func (e Experiment) Run(ctx context.Context, rounds int, log io.Writer) (out report.Experiment, err error) {
	out = report.Experiment{Name: e.Name, About: e.About}
	for _, a := range e.Arms {
		out.Arms = append(out.Arms, report.Arm{Name: a.Name, Command: a.Command, Values: map[string][]float64{}})
	}
	defer func() {
		if err != nil {
			out.Error = err.Error()
		}
		rows, notes := Rows(out.Arms, e.Compare)
		out.Rows, out.Notes = rows, append(out.Notes, notes...)
	}()
	if e.Begin != nil {
		end, beginErr := e.Begin(ctx)
		if beginErr != nil {
			return out, beginErr
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	if e.Rounds > 0 {
		rounds = min(rounds, e.Rounds)
	}
	digest, noted := e.Digest, map[string]bool{}
	for round := range rounds {
		for _, i := range measure.Order(round, len(e.Arms)) {
			arm := e.Arms[i]
			s, err := arm.Run(ctx)
			if err != nil {
				return out, fmt.Errorf("%s, round %d of %d: %w", arm.Name, round+1, rounds, err)
			}
			if s.Digest != "" {
				if digest == "" {
					digest = s.Digest
				}
				if s.Digest != digest {
					return out, fmt.Errorf("%s, round %d: %w: %s, want %s", arm.Name, round+1, errDigest, s.Digest, digest)
				}
			}
			for name, v := range s.Values {
				out.Arms[i].Values[name] = append(out.Arms[i].Values[name], v)
			}
			if len(s.Series) > 0 {
				out.Arms[i].Series = append(out.Arms[i].Series, s.Series)
			}
			if note := arm.Name + ": " + s.Note; s.Note != "" && !noted[note] {
				noted[note] = true
				out.Notes = append(out.Notes, note)
			}
			_, _ = fmt.Fprintf(log, "%s: round %d of %d: %s%s\n", e.Name, round+1, rounds, arm.Name, progress(e.Compare, arm.Name, s))
		}
	}
	if e.Digest != "" {
		out.Notes = append(out.Notes, "digest "+e.Digest+", known from elsewhere: all arms agree")
	} else if digest != "" {
		out.Notes = append(out.Notes, "digest "+digest+": all arms that have one agree")
	}
	return out, nil
}

// progress renders the figures of an arm that the report will compare.
func progress(compare []Comparison, arm string, s Sample) (text string) {
	seen := map[string]bool{}
	for _, c := range compare {
		v, ok := s.Values[c.Value]
		if (c.Arm == arm || c.Against == arm) && ok && !seen[c.Value] {
			seen[c.Value] = true
			text += fmt.Sprintf("  %s %s", c.Value, report.Number(v))
		}
	}
	return text
}

// Rows makes the figures of a report from the arms' values. A comparison without
// a finite value in every round becomes a note.
func Rows(arms []report.Arm, compare []Comparison) (rows []report.Row, notes []string) {
	values := func(arm, name string) []float64 {
		for _, a := range arms {
			if a.Name == arm {
				return a.Values[name]
			}
		}
		return nil
	}
	for _, c := range compare {
		row := report.Row{Figure: c.Label, Arm: c.Arm, Against: c.Against, Bar: c.Bar}
		if row.Figure == "" {
			row.Figure = c.Value
		}
		own := values(c.Arm, c.Value)
		ratio := own
		if c.Against != "" {
			other := values(c.Against, c.Value)
			ratio = measure.Ratios(own, other)
			row.AgainstValue = measure.Summarize(other)
		}
		if len(ratio) == 0 || !finite(ratio) {
			notes = append(notes, fmt.Sprintf("no figure: %s of %s beside %q: not every round has one", row.Figure, c.Arm, c.Against))
			continue
		}
		row.Ratio, row.ArmValue = measure.Summarize(ratio), measure.Summarize(own)
		row.Verdict = c.Bar.Judge(row.Ratio)
		rows = append(rows, row)
	}
	return rows, notes
}

func finite(values []float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
