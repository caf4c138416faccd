package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// Defaults of Options.
const (
	DefaultPairs      = 5
	DefaultStateBytes = 1_000_000_000
)

// Options of the suite. The zero value of a field means its default.
type Options struct {
	// Pairs is how many rounds each experiment has, at most. Default
	// DefaultPairs.
	Pairs int
	// Quick makes everything so small that the suite ends within minutes. Its
	// figures show that the experiments work, and little else.
	Quick bool
	// Long takes in the experiments that take tens of minutes.
	Long bool
	// Only, if set, names the experiments that run.
	Only *regexp.Regexp
	// StateBytes is the size of the state of which 1 % changes. Default
	// DefaultStateBytes.
	StateBytes int64
	// PeerFlink is the program that runs Flink. Empty: its rows are left out.
	PeerFlink string
	// Flights is a file of flights, and FlightsExpected a directory with its
	// results. Empty: the row is left out, or its result compared with nothing.
	Flights, FlightsExpected string
	// Child runs the arms that are processes. Its zero value is right for a
	// program that has the verb run.
	Child Child
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
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// quickShare is how much less there is to do where it is to be quick.
const quickShare = 40

// Plan returns the experiments that the options ask for, and those left out.
func Plan(o Options) (run []Experiment, out []report.LeftOut) {
	o = o.withDefaults()
	add := func(e Experiment, unless ...string) {
		if o.Only != nil && !o.Only.MatchString(e.Name) {
			return
		}
		for _, why := range unless {
			if why != "" {
				out = append(out, report.LeftOut{Name: e.Name, Why: why})
				return
			}
		}
		run = append(run, e)
	}
	n := func(full int64) int64 {
		if o.Quick {
			return full / quickShare
		}
		return full
	}
	checkpoints, interval := 20, time.Second
	if o.Quick {
		checkpoints, interval = 5, 200*time.Millisecond
	}
	add(noise(o.Child, n(8_000_000)))
	add(tax(o.Child, "q17", n(40_000_000), measure.Bar{AtLeast: 0.95}))
	add(tax(o.Child, "q18", n(12_000_000), measure.Bar{AtLeast: 0.75}))
	add(spilling(o.Child, n(8_000_000)))
	add(passThrough(o.Child, n(20_000_000)))
	add(increments(o.StateBytes, checkpoints, interval))
	noServer := ""
	if _, err := s3server.Find(); err != nil {
		noServer = err.Error()
	}
	for _, e := range transfers(o.StateBytes / 2) {
		add(e, noServer)
	}
	noDBBench := ""
	if err := findDBBench(); err != nil {
		noDBBench = "there is no db_bench (Debian: rocksdb-tools): " + err.Error()
	}
	add(keyed(o.Child, "keyed-update-in-memory", n(1_000_000), n(8_000_000), 512<<20, 5), noDBBench)
	add(keyed(o.Child, "keyed-update-8x", n(4_000_000), n(4_000_000), max(8<<20, n(64<<20)), 1), noDBBench)
	noFlights := ""
	if o.Flights == "" {
		noFlights = "no file of flights was given (--flights)"
	}
	add(flights(o.Child, o.Flights, o.FlightsExpected), noFlights)
	noFlink := ""
	if o.PeerFlink == "" {
		noFlink = "no program that runs Flink was given (--peer-flink)"
	}
	for _, row := range flinkRows {
		long := ""
		if row.long && !o.Long {
			long = "it takes tens of minutes (--long)"
		}
		row.events, row.keys = max(1_000_000, n(row.events)), n(row.keys)
		add(flink(o.Child, o.PeerFlink, row), noFlink, long)
	}
	for _, l := range unbuilt {
		if o.Only == nil || o.Only.MatchString(l.Name) {
			out = append(out, l)
		}
	}
	return run, out
}

// unbuilt are rows that are wanted, and that nothing measures.
var unbuilt = []report.LeftOut{
	{Name: "keyed-update-zipf", Why: "the job update draws its keys evenly only"},
	{Name: "sync-pause-10GB", Why: "run increments with --state 10GB; the default is 1 GB"},
	{Name: "drift", Why: "throughput in the last quarter of a 10-minute run by that in the second is not measured: a run reports no series"},
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
	return r, errors.Join(append(errs, context.Cause(ctx))...)
}
