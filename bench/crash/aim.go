package crash

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// target is what a kill is aimed at.
type target uint8

const (
	atAnyTime target = iota // a time after the start of the process
	atStartUp               // the first moments: leading, restoring, publishing again
	atUpload                // the moments after an object of a new checkpoint was stored
	atCommit                // the moments after a manifest was stored
	atPublish               // the moments after head has changed
	atOutput                // the moments after a part of the output was begun
	atParts                 // the moments after a part of the output was published
)

var targetNames = [...]string{
	atAnyTime: "any time", atStartUp: "start-up", atUpload: "upload", atCommit: "commit", atPublish: "publish", atOutput: "output", atParts: "parts",
}

func (t target) String() string { return targetNames[t] }

// aim is a moment to kill at: a delay after the n-th sign of the target. If the
// signs do not come, the process ends by itself, and nothing is counted.
type aim struct {
	target target
	signs  int
	delay  time.Duration
}

func (a aim) String() string {
	if a.signs == 0 {
		return fmt.Sprintf("%v, %v after the start", a.target, a.delay)
	}
	return fmt.Sprintf("%v, %v after sign %d", a.target, a.delay, a.signs)
}

// startUpTime is about what a process needs to start and restore a small job.
const startUpTime = 150 * time.Millisecond

// nextAim draws an aim. Many of them leave time for a checkpoint, so that a job
// makes progress however often it is killed.
func nextAim(r *rand.Rand, interval time.Duration) aim {
	within := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	// Geometric: one sign in two cases of three.
	some := func() (n int) {
		for n = 1; n < 6 && r.IntN(3) == 0; n++ {
		}
		return n
	}
	switch x := r.IntN(100); {
	case x < 15:
		return aim{atStartUp, 0, within(startUpTime)}
	case x < 25:
		return aim{atAnyTime, 0, min(time.Duration(r.ExpFloat64()*2*float64(interval)), 8*interval)}
	case x < 35:
		return aim{atAnyTime, 0, within(6 * interval)}
	case x < 50:
		return aim{atUpload, some(), within(interval / 20)}
	case x < 64:
		return aim{atCommit, some(), within(interval / 100)}
	case x < 78: // the first change of head is the leader's
		return aim{atPublish, 1 + some(), within(interval / 100)}
	case x < 90:
		return aim{atOutput, some(), within(interval / 5)}
	default:
		return aim{atParts, some(), within(interval / 20)}
	}
}
