package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

const (
	flinkPrefix = "flink-"
	flinkArm    = "Flink RocksDB"
	flinkSQL    = "Flink SQL, mini-batch"
	flinkWhole  = "events per CPU-s of the whole process"
)

// flinkRow is one comparison with Flink on the same events.
type flinkRow struct {
	job      string
	events   int64
	keys     int64
	suffix   string // of the experiment's name, where there are keys
	interval string // of both; empty: off
	bar      float64
	sqlBar   float64 // of the job's SQL form; zero: not run
	// after, if set, is from which event on the figures are, of both, and time
	// how long Flink has.
	after int64
	time  time.Duration
}

// leastFlinkEvents are fewer than which Flink tells no steady part of.
const leastFlinkEvents = 1_000_000

// scaled returns a row with its work divided by share.
func (r flinkRow) scaled(share int64) flinkRow {
	r.events, r.keys, r.after = max(leastFlinkEvents, r.events/share), r.keys/share, r.after/share
	return r
}

var flinkRows = []flinkRow{
	{job: "count", events: 8_000_000, bar: 10},
	{job: "count-hot", events: 8_000_000, bar: 10},
	{job: "q17", events: 8_000_000, bar: 8, sqlBar: 3},
	{job: "q18", events: 8_000_000, bar: 5},
	{job: "q18", events: 8_000_000, interval: "1s", bar: 8},
	{job: "count", events: 40_000_000, keys: 20_000_000, suffix: "-20M", bar: 5, after: 20_000_000},
}

// flink makes the experiment of a row. Both have two subtasks and 512 MB for
// state; ours gives three quarters of it to the table.
func flink(c experiment.Child, program string, r flinkRow) experiment.Experiment {
	name, interval := flinkPrefix+r.job, "0"
	if r.interval != "" {
		name, interval = name+"-"+r.interval, r.interval
	}
	ours := []string{r.job, fmt.Sprintf("--events=%d", r.events), "--interval=" + interval, "--parallelism=2", "--table-memory=384MiB", "--native-memory=128MiB", "--digest"}
	theirs := []string{fmt.Sprintf("events=%d", r.events), "parallelism=2", "managed=512m"}
	if r.interval != "" {
		theirs = append(theirs, "interval_ms=1000")
	}
	if r.keys != 0 {
		name += r.suffix
		ours, theirs = append(ours, fmt.Sprintf("--keys=%d", r.keys)), append(theirs, fmt.Sprintf("keys=%d", r.keys))
	}
	e := experiment.Experiment{
		Name: name,
		About: "Tidemark beside Flink, both from 30 % of the events on, when most of the JIT's work is done, until the last was read: records per CPU second, generator included, 512 MB for state in both, two subtasks. " +
			"Bars are on that ratio; that of whole processes, start and final rows included, stands beside it.",
		Digest: known(r.job, r.events, r.keys),
		Arms:   []experiment.Arm{c.Arm(tidemarkArm, ours...), flinkRun(program, flinkArm, append([]string{"workload=" + r.job}, theirs...))},
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerCPUS, Arm: tidemarkArm, Against: flinkArm, Bar: measure.Bar{AtLeast: r.bar}},
			{Value: flinkWhole, Arm: tidemarkArm, Against: flinkArm},
			{Value: experiment.EventsPerS, Arm: tidemarkArm, Against: flinkArm},
			{Value: experiment.CPUMicros, Arm: tidemarkArm}, {Value: experiment.CPUMicros, Arm: flinkArm},
		},
	}
	if r.sqlBar != 0 {
		e.Arms = append(e.Arms, flinkRun(program, flinkSQL, append([]string{"workload=sql-" + r.job}, theirs...)))
		e.Compare = append(e.Compare, experiment.Comparison{Value: experiment.EventsPerCPUS, Arm: tidemarkArm, Against: flinkSQL, Bar: measure.Bar{AtLeast: r.sqlBar}})
	}
	if r.interval != "" {
		e.Compare = append(e.Compare, experiment.Comparison{Value: experiment.SyncMax, Arm: tidemarkArm}, experiment.Comparison{Value: experiment.SyncMax, Arm: flinkArm})
	}
	if r.after == 0 {
		e.Arms[0].Run = steady(c, ours)
		return e
	}
	e.Rounds = 1
	e.About = fmt.Sprintf("Tidemark beside Flink, both from event %d on, when there have been as many as keys, until the last was read: records per CPU second, generator included, 512 MB for state in both, two subtasks. "+
		"Flink has %v: what it had done by then counts.", r.after, r.time)
	e.Arms[0].Run = func(ctx context.Context) (experiment.Sample, error) {
		run, cpuS, err := c.Report(ctx, 0, ours)
		if err != nil {
			return experiment.Sample{}, err
		}
		s := experiment.SampleOf(run, cpuS)
		s.Series = run.Series
		return experiment.AfterIfLong(s, run.Series, r.after), nil
	}
	e.Arms[1] = flinkCapped(program, append([]string{"workload=" + r.job}, theirs...), r.time, r.after)
	e.Compare = slices.DeleteFunc(e.Compare, func(c experiment.Comparison) bool { return c.Value == flinkWhole })
	return e
}

// steadyPercent of the events are left out of the figures of both.
const steadyPercent = 30

// steady runs ours, and tells of the part of it that is told of Flink, and of
// the whole.
func steady(c experiment.Child, args []string) func(context.Context) (experiment.Sample, error) {
	return func(ctx context.Context) (experiment.Sample, error) {
		run, cpuS, err := c.Report(ctx, 0, args)
		if err != nil {
			return experiment.Sample{}, err
		}
		s := experiment.SampleOf(run, cpuS)
		s.Values[flinkWhole] = s.Values[experiment.EventsPerCPUS]
		return experiment.AfterIfLong(s, run.Series, run.Events*steadyPercent/100), nil
	}
}

func flinkRun(program, name string, args []string) experiment.Arm {
	line := append([]string{program}, args...)
	return experiment.Arm{Name: name, Command: "peer-flink " + strings.Join(args, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
		scratch, clean, err := flinkScratch()
		if err != nil {
			return experiment.Sample{}, err
		}
		defer clean()
		out, _, err := experiment.Execute(ctx, append(line[:len(line):len(line)], scratch...))
		if err != nil {
			return experiment.Sample{}, err
		}
		return parseFlink(out, !strings.HasPrefix(args[0], "workload=sql-"))
	}}
}

// flinkScratch returns the arguments that put state and checkpoints into a
// directory of their own, and what removes it.
func flinkScratch() (args []string, clean func(), err error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return nil, nil, err
	}
	return []string{"store=file://" + filepath.Join(dir, "checkpoints"), "localdir=" + filepath.Join(dir, "local")}, func() { _ = os.RemoveAll(dir) }, nil
}

// parseFlink reads what peer-flink printed: one line of JSON, after what its
// build may have said. SQL rows have digests of another kind.
func parseFlink(out []byte, digest bool) (experiment.Sample, error) {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var r struct {
		State   string
		Seen    float64
		Digest  string
		WallS   float64   `json:"wall_s"`
		CPUS    float64   `json:"cpu_s"`
		SteadyS float64   `json:"steady_events_per_s"`
		Steady  float64   `json:"steady_cpu_us_per_event"`
		SyncMS  []float64 `json:"sync_ms"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		return experiment.Sample{}, fmt.Errorf("peer-flink's result: %w", err)
	}
	if r.State != "FINISHED" || r.Seen == 0 || r.CPUS == 0 || r.Steady == 0 {
		return experiment.Sample{}, fmt.Errorf("peer-flink ended as %s after %.0f records: give it more events", r.State, r.Seen)
	}
	s := experiment.Sample{Values: map[string]float64{
		experiment.EventsPerCPUS: 1e6 / r.Steady, experiment.EventsPerS: r.SteadyS, experiment.CPUMicros: r.Steady, flinkWhole: r.Seen / r.CPUS, experiment.Completed: float64(len(r.SyncMS)),
	}}
	if len(r.SyncMS) > 0 {
		s.Values[experiment.SyncMax] = slices.Max(r.SyncMS)
	}
	if digest {
		s.Digest = r.Digest
	}
	return s, nil
}
