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
	DefaultFlinkTime  = 8 * time.Minute
)

// Options of the suite. The zero value of a field means its default.
type Options struct {
	// Pairs is how many rounds each experiment has, at most. Default
	// DefaultPairs.
	Pairs int
	// Quick makes everything so small that the suite ends within minutes. Its
	// figures show that the experiments work, and little else.
	Quick bool
	// Long takes in a state of 10 GB, and three rounds of drift instead of one.
	Long bool
	// Only, if set, names the experiments that run.
	Only *regexp.Regexp
	// StateBytes is the size of the state of which 1 % changes. Default
	// DefaultStateBytes.
	StateBytes int64
	// PeerFlink is the program that runs Flink. Empty: its rows are left out.
	PeerFlink string
	// FlinkTime bounds the run of Flink over 20 million keys, whose end is not
	// awaited. Default DefaultFlinkTime.
	FlinkTime time.Duration
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
	for _, row := range keyedRows {
		row.keys, row.updates = n(row.keys), n(row.updates)
		if row.times > 0 {
			row.memory = max(8<<20, n(row.memory))
			row.keys = row.times * row.memory / (keyedValueBytes + keyBytes)
			row.updates = row.keys
		}
		add(keyed(o.Child, row), noDBBench)
	}
	sizes, pauseS := []int64{10_000_000, 1_000_000_000}, int64(30)
	if o.Quick {
		sizes, pauseS = []int64{1_000_000, 100_000_000}, 5
	}
	if o.Long {
		sizes = append(sizes, 10_000_000_000)
	} else {
		out = leaveOut(out, o, pausesName+" at 10 GB", "it writes tens of GB and takes minutes a round (--long)")
	}
	add(pauses(o.Child, sizes, pauseS))
	driftTime, budget := 10*time.Minute, int64(64<<20)
	if o.Quick {
		driftTime, budget = 30*time.Second, 16<<20
	}
	add(memory(o.Child, budget))
	driftRounds := 1
	if o.Long {
		driftRounds = 3
	}
	add(drift(o.Child, driftTime, driftRounds))
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
		row.events, row.keys, row.after, row.time = max(1_000_000, n(row.events)), n(row.keys), n(row.after), o.FlinkTime
		add(flink(o.Child, o.PeerFlink, row), noFlink)
	}
	return run, out
}

func leaveOut(out []report.LeftOut, o Options, name, why string) []report.LeftOut {
	if o.Only != nil && !o.Only.MatchString(name) {
		return out
	}
	return append(out, report.LeftOut{Name: name, Why: why})
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
