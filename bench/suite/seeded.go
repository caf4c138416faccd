package suite

import (
	"context"
	"fmt"
	"io"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/jobs"
)

// known is the digest of a seeded job, if it is known.
func known(job string, events, keys int64) string {
	digest, _ := jobs.KnownDigest(job, jobs.Options{Events: events, Keys: keys})
	return digest
}

// noise runs one job as two arms that are the same.
func noise(c Child, events int64) Experiment {
	args := []string{"q17", fmt.Sprintf("--events=%d", events), "--interval=0", "--digest"}
	return Experiment{
		Name: "noise", About: "The same run as two arms: how far from 1 a ratio comes on this machine without a cause.",
		Arms:   []Arm{c.Arm("one", args...), c.Arm("the same", args...)},
		Digest: known("q17", events, 0),
		Compare: []Comparison{
			{Value: EventsPerCPUS, Arm: "one", Against: "the same"},
			{Value: EventsPerS, Arm: "one", Against: "the same"},
		},
	}
}

// tax compares a job's runs with and without checkpoints.
func tax(c Child, job string, events int64, wall measure.Bar) Experiment {
	arm := func(name, interval string) Arm {
		return c.Arm(name, job, fmt.Sprintf("--events=%d", events), "--interval="+interval, "--digest")
	}
	return Experiment{
		Name:   "checkpoints-" + job,
		About:  fmt.Sprintf("%s over %d seeded events, to a file store: with checkpoints off, every 10 s and every 1 s. Each run but the first kind ends with a checkpoint of everything.", job, events),
		Arms:   []Arm{arm("off", "0"), arm("10 s", "10s"), arm("1 s", "1s")},
		Digest: known(job, events, 0),
		Compare: []Comparison{
			{Value: EventsPerCPUS, Arm: "off"},
			{Value: EventsPerCPUS, Arm: "10 s", Against: "off"},
			{Value: EventsPerCPUS, Arm: "1 s", Against: "off"},
			{Value: EventsPerS, Arm: "10 s", Against: "off"},
			{Value: EventsPerS, Arm: "1 s", Against: "off", Bar: wall},
			{Value: Completed, Arm: "10 s"}, {Value: Completed, Arm: "1 s"},
			{Value: SyncP50, Arm: "1 s"}, {Value: SyncP99, Arm: "1 s", Bar: measure.Bar{AtMost: 1}}, {Value: SyncMax, Arm: "1 s", Bar: measure.Bar{AtMost: 1}},
			{Value: DurationP99, Arm: "1 s"}, {Value: NewBytes, Arm: "1 s"}, {Value: RSSBytes, Arm: "1 s"},
		},
	}
}

// spilling compares runs in which all state is written to RocksDB either way.
func spilling(c Child, events int64) Experiment {
	arm := func(name, interval string) Arm {
		return c.Arm(name, "q18", fmt.Sprintf("--events=%d", events), "--interval="+interval, "--table-memory=16MiB", "--digest")
	}
	return Experiment{
		Name: "checkpoints-q18-spilling", About: "q18 with a table of 16 MiB, so that the state is written in both arms.",
		Arms: []Arm{arm("off", "0"), arm("1 s", "1s")}, Digest: known("q18", events, 0),
		Compare: []Comparison{
			{Value: EventsPerS, Arm: "1 s", Against: "off", Bar: measure.Bar{AtLeast: 0.95}},
			{Value: EventsPerCPUS, Arm: "1 s", Against: "off"},
			{Value: RSSBytes, Arm: "off"}, {Value: RSSBytes, Arm: "1 s"},
		},
	}
}

// passThrough compares q0 with a loop over the same events.
func passThrough(c Child, events int64) Experiment {
	return Experiment{
		Name: "pass-through", About: "q0 beside one goroutine that reads the same bids from the generator and adds up their prices; both as processes of their own.",
		Arms:    []Arm{c.Arm("q0", "q0", fmt.Sprintf("--events=%d", events), "--interval=0"), c.bare(events)},
		Compare: []Comparison{{Value: EventsPerCPUS, Arm: "q0", Against: bareLoop, Bar: measure.Bar{AtLeast: 0.5}}, {Value: CPUMicros, Arm: "q0"}, {Value: CPUMicros, Arm: bareLoop}},
	}
}

// BesideOff runs a job with the given arguments of run, and the same with
// checkpoints off, in interleaved pairs of processes.
func BesideOff(ctx context.Context, c Child, job, args []string, pairs int) ([]report.Row, error) {
	on := append(append([]string(nil), job...), args...)
	off := append(append([]string(nil), on...), "--interval=0")
	e := Experiment{
		Name: "pairs", Arms: []Arm{c.Arm("this", on...), c.Arm("off", off...)},
		Compare: []Comparison{{Value: EventsPerCPUS, Arm: "this", Against: "off"}, {Value: EventsPerS, Arm: "this", Against: "off"}},
	}
	log := c.Log
	if log == nil {
		log = io.Discard
	}
	r, err := e.Run(ctx, pairs, log)
	return r.Rows, err
}
