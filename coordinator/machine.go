package coordinator

import (
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// machine makes every decision of a coordinator. It does no I/O, reads no
// clock and starts no goroutine: step tells it what happened and when, and
// returns what to do, in order.
type machine struct {
	*settings
	phase phase
	why   error // it stopped
	lead  leading
	head  Head // as this leader last wrote or read it
	etag  string
	next  checkpoint.ID // the next free id
	edits uint64        // of head that this process made

	attempt attempt
	// base is what a checkpoint may build on: the newest that this epoch
	// committed, or else the one that the attempt was restored from.
	base    base
	lineage bool // this epoch committed a checkpoint, so base follows from it

	pending []pending // by rising id
	commit  commit
	writes  int             // manifests that are being written
	aborts  []checkpoint.ID // those of this epoch that were aborted; at most maxAborts

	wanted      bool // somebody asked for a checkpoint
	final       finalStage
	finalAfter  time.Time
	failures    int // in a row
	lastTrigger time.Time
	lastEnd     time.Time

	sound   bool      // what was restored was readable, so that a sweep may delete
	sweepAt time.Time // when the next sweep is due
	closing bool
	alarms  []alarm

	out []action
}

// phase is whether a machine leads.
type phase uint8

const (
	idle    phase = iota
	opening       // it tries to lead
	leads
	stopped // it leads no more
)

// settings never change.
type settings struct {
	job, writer, nonce string
	graph              checkpoint.Graph
	interval, minPause time.Duration
	timeout            time.Duration
	maxConcurrent      int
	tolerable          int // negative: any number
	policy             policy
	restore            Restore
	rules              rules
}

// step tells the machine what happened at a time, and returns what to do.
func (m *machine) step(now time.Time, e event) []action {
	m.out = nil
	switch e := e.(type) {
	case opened:
		m.open()
	case headRead:
		m.onHead(now, e)
	case probed:
		m.onProbed(e)
	case swapped:
		m.onSwapped(now, e)
	case manifestWritten:
		m.onManifest(now, e)
	case manifestRead:
		m.onManifestRead(e)
	case attached:
		m.attach(e)
	case started:
		m.start(now, e)
	case acked:
		m.ack(now, e.Ack)
	case declined:
		m.decline(now, e.Decline)
	case asked:
		m.ask()
	case draining:
		if m.attempt.stage == running && m.final == notFinal {
			m.final = finalComing
		}
	case finishing:
		m.finish()
	case detached:
		m.detach(now)
	case closing:
		m.close(now)
	case collected:
		for _, r := range e.refs {
			m.do(moved{r.ID, Discarded})
		}
	case deletion:
		m.onDeletion(now, e)
	}
	if m.phase == leads {
		m.expire(now)
		m.proceed(now)
	}
	m.closeUp(now)
	m.ring(now)
	out := m.out
	m.out = nil
	return out
}

func (m *machine) do(a ...action) { m.out = append(m.out, a...) }

// proceed starts what nothing stands in the way of any more.
func (m *machine) proceed(now time.Time) {
	m.startCommit(now)
	if m.attempt.stage == waiting && m.commit.stage == noCommit {
		m.chooseRestore()
	}
	for m.mayTrigger(now) {
		m.trigger(now)
	}
	if m.sound && !now.Before(m.sweepAt) {
		m.sweep(now)
	}
}

// wake returns when the machine must be stepped at the latest, zero for never.
func (m *machine) wake() time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if m.phase != leads {
		return at
	}
	for _, p := range m.pending {
		sooner(p.deadline)
	}
	if m.commit.stage == resting {
		sooner(m.commit.again)
	}
	if t, ok := m.triggerAt(); ok && m.triggerable() {
		sooner(t)
	}
	if m.sound {
		sooner(m.sweepAt)
	}
	for _, a := range m.alarms {
		sooner(a.due)
	}
	return at
}

// refusal says why nothing may begin, nil where it may.
func (m *machine) refusal() error {
	switch {
	case m.closing:
		return ErrClosed
	case m.phase != leads:
		return m.why
	}
	return nil
}

// find returns the pending checkpoint with the id.
func (m *machine) find(id checkpoint.ID) (*pending, bool) {
	i := slices.IndexFunc(m.pending, func(p pending) bool { return p.ID == id })
	if i < 0 {
		return nil, false
	}
	return &m.pending[i], true
}
