package deploy

import (
	"maps"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Driver decides what a job's driver does: Step tells it what happened and
// when, and returns what to do, in order. It does no I/O and reads no clock.
type Driver struct {
	plan        checkpoint.Graph
	checkpoints bool
	restart     func(ran time.Duration) (delay time.Duration, again bool)
	repeats     repeats

	stage     stage
	execution checkpoint.Execution
	workers   map[WorkerID]Worker
	placement Placement
	waiting   map[WorkerID]bool // hosts whose report ends the stage
	calling   bool              // Attach, Prepare or Finish is under way
	attached  bool
	ending    bool     // it was told to end
	failure   *Failure // of the attempt: the first
	began     time.Time
	resume    time.Time // the end of backing off
	out       []Action
}

// stage is what the driver waits for.
type stage uint8

const (
	idle       stage = iota // Run
	attaching               // the coordinator's answer
	preparing               // the job's own code
	placing                 // enough workers
	deploying               // Opened of all hosts
	running                 // Exhausted of all hosts
	draining                // Ended of all hosts
	finishing               // the final checkpoint
	stopping                // Stopped of all hosts
	cancelling              // Stopped of all hosts, and the end of a call
	backingOff              // the time of the next attempt
	done                    // nothing
)

// NewDriver returns the driver of a job that runs as plan says. restart is told
// how long a failed attempt ran and says when the next begins, if one does. The
// job ends when the same failure came tolerated times with no checkpoint between;
// tolerated < 1: it may come any number of times.
// Without checkpoints there is no coordinator: nothing is attached.
func NewDriver(plan checkpoint.Graph, checkpoints bool, restart func(ran time.Duration) (delay time.Duration, again bool), tolerated int) *Driver {
	return &Driver{plan: plan, checkpoints: checkpoints, restart: restart, repeats: repeats{tolerated: tolerated}, workers: map[WorkerID]Worker{}, waiting: map[WorkerID]bool{}}
}

// Wake returns when Step wants a Tick at the latest; zero: not at all.
func (d *Driver) Wake() time.Time {
	if d.stage == backingOff {
		return d.resume
	}
	return time.Time{}
}

// Step tells the driver what happened, and returns what to do.
func (d *Driver) Step(now time.Time, in Input) []Action {
	d.out = nil
	switch in := in.(type) {
	case Run:
		if d.stage == idle {
			d.begin(now)
		}
	case Quit:
		d.quit(now)
	case Tick:
		if d.stage == backingOff && !now.Before(d.resume) {
			d.begin(now)
		}
	case Joined:
		if old, ok := d.workers[in.Worker.ID]; ok && old.Incarnation != in.Worker.Incarnation {
			d.lose(now, in.Worker.ID)
		}
		d.workers[in.Worker.ID] = in.Worker
		if d.stage == placing {
			d.place()
		}
	case Lost:
		if d.workers[in.Worker].Incarnation == in.Incarnation {
			d.lose(now, in.Worker)
		}
	case Report:
		if in.Execution == d.execution {
			d.report(now, in.Worker, in.Event)
		}
	case Attached:
		d.calling = false
		d.onAttached(now, in)
	case Prepared:
		d.calling = false
		d.onPrepared(now, in)
	case Finished:
		d.calling = false
		d.onFinished(now, in)
	case GivenUp:
		if in.Execution == d.execution {
			d.giveUp(now, in.Failure)
		}
	}
	return d.out
}

func (d *Driver) do(a ...Action) { d.out = append(d.out, a...) }

// begin begins an attempt.
func (d *Driver) begin(now time.Time) {
	d.execution = checkpoint.Execution{Attempt: d.execution.Attempt + 1}
	d.failure, d.began = nil, now
	if d.checkpoints {
		d.stage, d.calling = attaching, true
		d.do(Attach{d.execution.Attempt})
		return
	}
	d.prepare()
}

func (d *Driver) onAttached(now time.Time, in Attached) {
	d.attached = in.Failure == nil
	switch {
	case d.stage == cancelling:
		d.detach()
		d.settle(now)
	case in.Failure != nil:
		d.fail(now, in.Failure)
	default:
		d.execution.Epoch = in.Epoch
		d.prepare()
	}
}

func (d *Driver) prepare() {
	d.stage, d.calling = preparing, true
	d.do(Prepare{d.execution})
}

func (d *Driver) onPrepared(now time.Time, in Prepared) {
	d.repeats.startsFrom(in.Restored)
	switch {
	case d.stage == cancelling:
		d.settle(now)
	case in.Failure != nil:
		d.fail(now, d.repeats.add(in.Failure))
	case in.Done:
		d.succeed()
	default:
		d.stage = placing
		d.place()
	}
}

// place deploys the job once there are slots enough.
func (d *Driver) place() {
	p, err := Place(d.plan, slices.Collect(maps.Values(d.workers)), d.placement)
	if err != nil {
		return // until more workers join
	}
	d.placement = p
	d.do(Deploy{d.execution, p})
	d.await(deploying)
}

// await enters a stage that ends with a report of every host.
func (d *Driver) await(s stage) {
	d.stage = s
	clear(d.waiting)
	for _, w := range d.placement.Workers() {
		d.waiting[w] = true
	}
}

// post sends a command to the hosts of the attempt that are there.
func (d *Driver) post(c Command) {
	d.do(Post{slices.DeleteFunc(d.placement.Workers(), func(w WorkerID) bool { _, ok := d.workers[w]; return !ok }), d.execution, c})
}

// report takes a report of the current execution.
func (d *Driver) report(now time.Time, w WorkerID, e Event) {
	var ends stage
	switch e := e.(type) {
	case Failed:
		if d.stage < cancelling {
			d.fail(now, d.repeats.add(e.Failure))
		}
		return
	case Opened:
		ends = deploying
	case Exhausted:
		ends = running
	case Ended:
		ends = draining
	case Stopped:
		ends = stopping
		if d.stage == cancelling {
			ends = cancelling
		}
	}
	if d.stage != ends || !d.waiting[w] {
		return
	}
	if delete(d.waiting, w); len(d.waiting) > 0 {
		return
	}
	switch ends {
	case deploying:
		if d.checkpoints {
			d.do(Start{d.execution, d.placement.Workers()})
		}
		d.post(Begin{})
		d.await(running)
	case running:
		if d.checkpoints {
			d.do(Close{})
		}
		d.post(Drain{})
		d.await(draining)
	case draining:
		if d.checkpoints {
			d.stage, d.calling = finishing, true
			d.do(Finish{})
			return
		}
		d.post(Stop{Publish: true})
		d.await(stopping)
	case stopping:
		d.succeed()
	case cancelling:
		d.settle(now)
	}
}

func (d *Driver) onFinished(now time.Time, in Finished) {
	switch {
	case d.stage == cancelling:
		d.settle(now)
	case in.Failure != nil:
		d.fail(now, in.Failure)
	default:
		d.post(Stop{})
		d.await(stopping)
	}
}

// giveUp ends the attempt because the coordinator wants it. If the job was stopped, the
// hosts end well: they publish what the last checkpoint committed. Nothing is in flight
// then, since the sources read nothing behind it. A job whose input has ended meanwhile is
// about to end well by itself.
func (d *Driver) giveUp(now time.Time, f *Failure) {
	switch {
	case f.Kind != FailureStopped || d.stage < running:
		d.fail(now, f)
	case d.stage == running:
		d.failure = f
		d.post(Stop{})
		d.await(stopping)
	}
}

// succeed ends the job: everything is processed and published, or it was stopped.
func (d *Driver) succeed() {
	d.detach()
	d.stage = done
	d.do(Done{d.failure})
}

func (d *Driver) detach() {
	if d.attached {
		d.attached = false
		d.do(Detach{})
	}
}
