package suite

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
)

// The arms of throttled.
const (
	plainArm     = "store at its speed"
	throttledArm = "store throttles"
)

// What the store bears that throttles: so many requests at the start, and then fewer a
// second than the checkpoints of the job want.
const (
	storeBursts = 200
	storeBears  = 5
)

// throttled compares the pace of records where the store throttles with that where it does
// not.
func throttled(c experiment.Child, events int64) experiment.Experiment {
	b := &biller{}
	line := []string{"count", "--events=" + strconv.FormatInt(events, 10), "--interval=200ms", "--parallelism=2", "--digest"}
	arm := func(name string, throttle func()) experiment.Arm {
		return experiment.Arm{Name: name, Command: "tidemark run count " + fmt.Sprint(line[1:]), Run: func(ctx context.Context) (experiment.Sample, error) {
			throttle()
			before := b.meter.Counts()
			s, err := b.child(ctx, c, b.place("throttled"), line)
			if err != nil {
				return s, err
			}
			n := b.meter.Counts().Since(before).Total()
			s.Note = fmt.Sprintf("%d of %d requests were throttled", n.Refused, n.Requests)
			return s, nil
		}}
	}
	return experiment.Experiment{
		Name: "throttled", Begin: b.begin,
		About: fmt.Sprintf("Records keep their pace while the store throttles: the same job at one S3 server, through a proxy that lets all requests pass, or %d and then %d a second, and answers the others by 503 SlowDown.", storeBursts, storeBears),
		Arms:  []experiment.Arm{arm(plainArm, func() { b.meter.Free() }), arm(throttledArm, func() { b.meter.Throttle(storeBears, storeBursts) })},
		Compare: []experiment.Comparison{
			{Value: experiment.EventsPerS, Arm: throttledArm, Against: plainArm, Bar: measure.Bar{AtLeast: 0.9}},
			{Value: experiment.Completed, Arm: throttledArm, Against: plainArm},
			{Value: experiment.SyncP99, Arm: throttledArm, Against: plainArm},
		},
	}
}
