package suite

import (
	"context"
	"fmt"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

// pausesName is the experiment whose pauses are drawn by the state's size.
const pausesName = "sync-pause"

// pauses runs update over states of several sizes, and looks at how long a
// checkpoint holds up the records.
func pauses(c experiment.Child, sizes []int64, seconds int64) experiment.Experiment {
	const perSecond = 5000
	e := experiment.Experiment{
		Name: pausesName, Rounds: 2,
		About: fmt.Sprintf("Job update with values of %d bytes, a checkpoint every second to a file store: every key is written once, as fast as it goes, and then %d a second are updated for %d s. "+
			"Pauses are those of all checkpoints of a run, of its slowest subtask.", checkpointSize, perSecond, seconds),
	}
	for _, size := range sizes {
		keys := size / checkpointSize
		name := sizeName(size)
		args := []string{
			"update", fmt.Sprintf("--keys=%d", keys), fmt.Sprintf("--events=%d", keys+perSecond*seconds), fmt.Sprintf("--value-size=%d", checkpointSize),
			fmt.Sprintf("--updates-per-second=%d", perSecond), "--interval=1s",
		}
		arm := c.Arm(name, args...)
		run := arm.Run
		arm.Run = func(ctx context.Context) (experiment.Sample, error) {
			s, err := run(ctx)
			if err == nil {
				s.Values[stateBytes] = float64(size)
			}
			return s, err
		}
		e.Arms = append(e.Arms, arm)
		e.Compare = append(e.Compare,
			experiment.Comparison{Value: experiment.SyncP50, Arm: name}, experiment.Comparison{Value: experiment.SyncP99, Arm: name, Bar: measure.Bar{AtMost: 1}},
			experiment.Comparison{Value: experiment.SyncMax, Arm: name, Bar: measure.Bar{AtMost: 1}}, experiment.Comparison{Value: experiment.Completed, Arm: name})
	}
	if n := len(e.Arms); n > 1 {
		e.Compare = append(e.Compare, experiment.Comparison{Value: experiment.SyncP99, Label: "flat: " + experiment.SyncP99, Arm: e.Arms[n-1].Name, Against: e.Arms[0].Name})
	}
	return e
}
