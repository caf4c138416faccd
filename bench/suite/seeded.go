package suite

import (
	"fmt"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

// noise runs one job as two arms that are the same.
func noise(c experiment.Child, events int64) experiment.Experiment {
	args := []string{"q17", fmt.Sprintf("--events=%d", events), "--interval=0", "--digest"}
	return experiment.Experiment{
		Name: "noise", About: "The same run as two arms: how far from 1 a ratio comes on this machine without a cause.",
		Arms:   []experiment.Arm{c.Arm("one", args...), c.Arm("the same", args...)},
		Digest: known("q17", events, 0),
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerCPUS, Arm: "one", Against: "the same"},
			{Value: experiment.EventsPerS, Arm: "one", Against: "the same"},
		},
	}
}

// tax compares a job's runs with and without checkpoints.
func tax(c experiment.Child, job string, events int64, wall measure.Bar) experiment.Experiment {
	arm := func(name, interval string) experiment.Arm {
		return c.Arm(name, job, fmt.Sprintf("--events=%d", events), "--interval="+interval, "--digest")
	}
	return experiment.Experiment{
		Name:   "checkpoints-" + job,
		About:  fmt.Sprintf("%s over %d seeded events, to a file store: with checkpoints off, every 10 s and every 1 s. Each run but the first kind ends with a checkpoint of everything.", job, events),
		Arms:   []experiment.Arm{arm("off", "0"), arm("10 s", "10s"), arm("1 s", "1s")},
		Digest: known(job, events, 0),
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerCPUS, Arm: "off"},
			{Value: experiment.EventsPerCPUS, Arm: "10 s", Against: "off"},
			{Value: experiment.EventsPerCPUS, Arm: "1 s", Against: "off"},
			{Value: experiment.EventsPerS, Arm: "10 s", Against: "off"},
			{Value: experiment.EventsPerS, Arm: "1 s", Against: "off", Bar: wall},
			{Value: experiment.Completed, Arm: "10 s"}, {Value: experiment.Completed, Arm: "1 s"},
			{Value: experiment.SyncP50, Arm: "1 s"}, {Value: experiment.SyncP99, Arm: "1 s", Bar: measure.Bar{AtMost: 1}}, {Value: experiment.SyncMax, Arm: "1 s", Bar: measure.Bar{AtMost: 1}},
			{Value: experiment.DurationP99, Arm: "1 s"}, {Value: experiment.NewBytes, Arm: "1 s"}, {Value: experiment.RSSBytes, Arm: "1 s"},
		},
	}
}

// spilling compares runs in which all state is written to RocksDB either way.
func spilling(c experiment.Child, events int64) experiment.Experiment {
	arm := func(name, interval string) experiment.Arm {
		return c.Arm(name, "q18", fmt.Sprintf("--events=%d", events), "--interval="+interval, "--table-memory=16MiB", "--digest")
	}
	return experiment.Experiment{
		Name: "checkpoints-q18-spilling", About: "q18 with a table of 16 MiB, so that the state is written in both arms.",
		Arms: []experiment.Arm{arm("off", "0"), arm("1 s", "1s")}, Digest: known("q18", events, 0),
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerS, Arm: "1 s", Against: "off", Bar: measure.Bar{AtLeast: 0.95}},
			{Value: experiment.EventsPerCPUS, Arm: "1 s", Against: "off"},
			{Value: experiment.RSSBytes, Arm: "off"}, {Value: experiment.RSSBytes, Arm: "1 s"},
		},
	}
}

// passThrough compares q0 with a loop over the same events.
func passThrough(c experiment.Child, events int64) experiment.Experiment {
	return experiment.Experiment{
		Name: "pass-through", About: "q0 beside one goroutine that reads the same bids from the generator and adds up their prices; both as processes of their own.",
		Arms:    []experiment.Arm{c.Arm("q0", "q0", fmt.Sprintf("--events=%d", events), "--interval=0"), bare(c, events)},
		Compare: []experiment.Comparison{{Value: experiment.EventsPerCPUS, Arm: "q0", Against: bareLoop, Bar: measure.Bar{AtLeast: 0.5}}, {Value: experiment.CPUMicros, Arm: "q0"}, {Value: experiment.CPUMicros, Arm: bareLoop}},
	}
}
