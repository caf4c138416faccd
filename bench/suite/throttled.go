package suite

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/cmd/launch"
)

// The arms of throttled.
const (
	plainArm     = "store at its speed"
	throttledArm = "store throttles"
)

// The figures of throttled. Those of records are of the time until the input ends: what
// follows waits for the last checkpoint.
const (
	recordsPerS     = "records per s"
	recordsPerCPUS  = "records per CPU-s"
	requestsSent    = "requests"
	requestsRefused = "of them refused, lost races of the probe included"
)

// What the store bears that throttles: so many requests at the start, and then fewer a
// second than the checkpoints of the job want.
const (
	storeBursts = 130
	storeBears  = 2
)

// throttled compares the pace of records where the store throttles with that where it does
// not.
func throttled(c experiment.Child, events int64) experiment.Experiment {
	b := &biller{}
	line := []string{"count", "--events=" + strconv.FormatInt(events, 10), "--interval=200ms", "--parallelism=2", "--digest"}
	arm := func(name string, throttle func()) experiment.Arm {
		return experiment.Arm{Name: name, Command: "tidemark run " + strings.Join(line, " "), Run: func(ctx context.Context) (experiment.Sample, error) {
			throttle()
			before := b.meter.Counts()
			r, cpuS, err := b.child(ctx, c, b.place("throttled"), line)
			if err != nil {
				return experiment.Sample{}, err
			}
			s := experiment.SampleOf(r, cpuS)
			s.Values[recordsPerS], s.Values[recordsPerCPUS] = whileReading(r.Series)
			n := b.meter.Counts().Since(before).Total()
			s.Values[requestsSent], s.Values[requestsRefused] = float64(n.Requests), float64(n.Refused)
			return s, nil
		}}
	}
	return experiment.Experiment{
		Name: "throttled", Begin: b.begin,
		About: fmt.Sprintf("Records keep their pace while the store throttles: the same job at one S3 server, through a proxy that lets all requests pass, or %d and then %d a second, and answers the others by 503 SlowDown.", storeBursts, storeBears),
		Arms:  []experiment.Arm{arm(plainArm, func() { b.meter.Free() }), arm(throttledArm, func() { b.meter.Throttle(storeBears, storeBursts) })},
		Compare: []experiment.Comparison{
			{Value: recordsPerS, Arm: throttledArm, Against: plainArm, Bar: measure.Bar{AtLeast: 0.9}},
			{Value: recordsPerCPUS, Arm: throttledArm, Against: plainArm, Bar: measure.Bar{AtLeast: 0.9}},
			{Value: experiment.Completed, Arm: throttledArm, Against: plainArm},
			{Value: requestsSent, Arm: throttledArm, Against: plainArm},
			{Value: requestsRefused, Arm: throttledArm, Against: plainArm},
			{Value: experiment.SyncP99, Arm: throttledArm, Against: plainArm},
		},
	}
}

// whileReading returns how many records a second, and a second of processor time, a run took
// in from the first to the last.
func whileReading(points []launch.Point) (perS, perCPUS float64) {
	if len(points) == 0 {
		return 0, 0
	}
	all := points[len(points)-1].Events
	first := slices.IndexFunc(points, func(p launch.Point) bool { return p.Events > 0 })
	last := slices.IndexFunc(points, func(p launch.Point) bool { return p.Events == all })
	if first < 0 || last <= first {
		return 0, 0 // it was too short
	}
	from, to := points[first], points[last]
	n := float64(to.Events - from.Events)
	return n / (to.WallS - from.WallS), n / (to.CPUS - from.CPUS)
}
