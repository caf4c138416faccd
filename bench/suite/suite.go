package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/rocks"
)

// Defaults of Options.
const (
	DefaultPairs      = 5
	DefaultStateBytes = 1_000_000_000
	DefaultFlinkTime  = 8 * time.Minute
)

// Options of the suite. The zero value of a field means its default.
type Options struct {
	// Pairs is how many rounds each experiment has, at most. Default
	// DefaultPairs.
	Pairs int
	// Quick makes everything so small that the suite ends within minutes. The
	// figures show that the experiments work, and little else.
	Quick bool
	// Long adds a state of 10 GB, and three rounds of drift instead of one.
	Long bool
	// Only, if set, names the experiments that run.
	Only *regexp.Regexp
	// StateBytes is the size of the state of which 1 % changes. Default
	// DefaultStateBytes.
	StateBytes int64
	// PeerFlink is the program that runs Flink. Empty: its rows are left out.
	PeerFlink string
	// FlinkTime bounds the run of Flink over 20 million keys; it is interrupted
	// then. Default DefaultFlinkTime.
	FlinkTime time.Duration
	// Flights is a file of flights, and FlightsExpected a directory with its
	// results. Empty: the row is left out, or its result compared with nothing.
	Flights, FlightsExpected string
	// Child runs the arms that are processes. Its zero value is right for a
	// program that has the verb run.
	Child experiment.Child
	// Version is what the report calls this program.
	Version string
	// Log gets a line for each run. Nil: none.
	Log io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	if o.Pairs < 0 {
		errs = append(errs, fmt.Errorf("%d pairs: use 1 or more", o.Pairs))
	}
	if o.StateBytes < 0 {
		errs = append(errs, fmt.Errorf("a state of %d bytes: it must be positive", o.StateBytes))
	}
	if o.FlinkTime < 0 {
		errs = append(errs, fmt.Errorf("%v for Flink: it must be positive", o.FlinkTime))
	}
	if o.FlightsExpected != "" && o.Flights == "" {
		errs = append(errs, errors.New("an expected result of flights, and no flights: give both"))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.Pairs == 0 {
		o.Pairs = DefaultPairs
		if o.Quick {
			o.Pairs = 2
		}
	}
	if o.StateBytes == 0 {
		o.StateBytes = DefaultStateBytes
		if o.Quick {
			o.StateBytes = 20_000_000
		}
	}
	if o.FlinkTime == 0 {
		o.FlinkTime = DefaultFlinkTime
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// Run runs what Plan returns. It fails if any experiment ended early; the
// report is of all that ran.
func Run(ctx context.Context, o Options) (report.Suite, error) {
	if err := o.Validate(); err != nil {
		return report.Suite{}, fmt.Errorf("benchmark suite: %w", err)
	}
	o = o.withDefaults()
	r := report.Suite{Head: report.Head{
		Title: "Benchmarks", Made: time.Now(), Version: o.Version, Library: rocks.Linked().String(), Machine: report.Inspect(),
	}}
	experiments, out := Plan(o)
	r.LeftOut = out
	var errs []error
	for i, e := range experiments {
		if ctx.Err() != nil {
			for _, left := range experiments[i:] {
				r.LeftOut = append(r.LeftOut, report.LeftOut{Name: left.Name, Why: "the suite was interrupted"})
			}
			break
		}
		told, err := e.Run(ctx, o.Pairs, o.Log)
		if err != nil {
			errs = append(errs, fmt.Errorf("experiment %s: %w", e.Name, err))
			_, _ = fmt.Fprintf(o.Log, "%s ended early: %v\n", e.Name, err)
		}
		r.Experiments = append(r.Experiments, told)
	}
	r.LoadAfter = report.Load()
	var err error
	if r.Charts, err = charts(r.Experiments); err != nil {
		errs = append(errs, err)
	}
	return r, errors.Join(append(errs, context.Cause(ctx))...)
}
