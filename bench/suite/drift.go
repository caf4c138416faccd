package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

const (
	driftName     = "drift"
	driftRatio    = "events per s, last quarter by second"
	secondQuarter = "events per s in the second quarter"
	lastQuarter   = "events per s in the last quarter"
	driftArm      = "update"
)

// drift runs update for a time, with a state greater than the budget, all of
// which is updated all along.
func drift(c experiment.Child, length time.Duration, rounds int) experiment.Experiment {
	const valueBytes = 200
	memory := int64(64 << 20)
	interval := 10 * time.Second
	if length < 2*time.Minute {
		memory, interval = 16<<20, 2*time.Second
	}
	keys := 8 * memory / (valueBytes + keyBytes)
	args := []string{
		"update", fmt.Sprintf("--keys=%d", keys), "--events=1000000000000", fmt.Sprintf("--value-size=%d", valueBytes), "--interval=" + interval.String(),
		fmt.Sprintf("--table-memory=%d", memory/2), fmt.Sprintf("--native-memory=%d", memory/2),
	}
	arm := c.Arm(driftArm, args...)
	arm.Command += fmt.Sprintf(" (interrupted after %v)", length)
	arm.Run = func(ctx context.Context) (experiment.Sample, error) {
		r, cpuS, err := c.Report(ctx, length, args)
		if err != nil {
			return experiment.Sample{}, err
		}
		s := experiment.SampleOf(r, cpuS)
		s.Series = r.Series
		q, err := experiment.Quarters(r.Series)
		if err != nil {
			return s, err
		}
		if loaded, _ := experiment.AtEvent(r.Series, keys); loaded.WallS > r.WallS/4 {
			s.Note = fmt.Sprintf("the keys were first written until %.0f s of %.0f: the second quarter is not yet that of updates alone", loaded.WallS, r.WallS)
		}
		s.Values[driftRatio], s.Values[secondQuarter], s.Values[lastQuarter] = q[3]/q[1], q[1], q[3]
		return s, nil
	}
	return experiment.Experiment{
		Name: driftName, Rounds: rounds,
		About: fmt.Sprintf("Job update for %v, over %d keys with values of %d bytes: a state eight times the %d MiB for it, updated evenly all along, with a checkpoint every %v to a file store.",
			length, keys, valueBytes, memory>>20, interval),
		Arms: []experiment.Arm{arm},
		Compare: []experiment.Comparison{
			{Value: driftRatio, Arm: driftArm, Bar: measure.Bar{AtLeast: 0.9}},
			{Value: secondQuarter, Arm: driftArm}, {Value: lastQuarter, Arm: driftArm}, {Value: experiment.Completed, Arm: driftArm},
			{Value: experiment.SyncMax, Arm: driftArm}, {Value: experiment.RSSBytes, Arm: driftArm},
		},
	}
}
