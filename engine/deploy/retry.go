package deploy

import (
	"fmt"
	"slices"
	"time"
)

// lose removes a worker. The attempt fails if it needs the worker.
func (d *Driver) lose(now time.Time, w WorkerID) {
	if _, ok := d.workers[w]; !ok {
		return
	}
	delete(d.workers, w)
	switch {
	case d.stage == cancelling:
		delete(d.waiting, w)
		d.settle(now)
	case d.stage == stopping && !d.waiting[w]: // it has stopped, and is not needed any more
	case d.stage >= deploying && d.stage <= stopping && slices.Contains(d.placement.Slots, w):
		d.fail(now, &Failure{Kind: FailureLost, Text: fmt.Sprintf("worker %s is lost", w)})
	}
}

// fail ends the attempt. It detaches the coordinator before it cancels the hosts. So a
// checkpoint that they decline because of that does not count as failed; the decline
// only names the objects that it left in the store.
func (d *Driver) fail(now time.Time, f *Failure) {
	if d.stage == idle || d.stage >= cancelling {
		return
	}
	d.failure = f
	deployed := d.stage >= deploying
	d.stage = cancelling
	clear(d.waiting)
	if d.calling {
		d.do(Interrupt{})
	}
	d.detach()
	if deployed {
		d.post(Cancel{})
		for _, w := range d.placement.Workers() {
			if _, ok := d.workers[w]; ok {
				d.waiting[w] = true
			}
		}
	}
	d.settle(now)
}

// settle decides what follows a failed attempt, once nothing of it is left.
func (d *Driver) settle(now time.Time) {
	if d.calling || len(d.waiting) > 0 {
		return
	}
	if d.ending || d.failure.Kind.Permanent() {
		d.stage = done
		d.do(Done{d.failure})
		return
	}
	delay, again := d.restart(now.Sub(d.began))
	if !again {
		d.stage = done
		d.do(Done{d.failure})
		return
	}
	d.stage, d.resume = backingOff, now.Add(delay)
	d.do(Retry{d.execution.Attempt, d.failure, delay})
}

// quit ends the job as it is.
func (d *Driver) quit(now time.Time) {
	if d.ending || d.stage == done {
		return
	}
	d.ending = true
	ended := &Failure{Kind: FailureQuit, Text: "the job was told to end"}
	if d.stage == idle || d.stage == backingOff {
		d.stage = done
		d.do(Done{ended})
		return
	}
	if d.stage != cancelling {
		d.fail(now, ended)
	}
}
