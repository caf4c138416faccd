package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// machine makes every decision of a coordinator. It does no I/O, reads no
// clock and starts no goroutine: step tells it what happened and when, and
// returns what is to be done, in order.
type machine struct {
	*settings
	phase phase
	lead  leading
	head  Head // as this leader last wrote or read it
	etag  string
	next  checkpoint.ID // the next id that is free
	edits uint64        // of head that this process made

	attempt attempt
	// base is what a checkpoint may build on: the newest that this epoch
	// committed, or else the one that the attempt was restored from.
	base    base
	lineage bool // this epoch committed a checkpoint, so base follows from it

	pending []pending // by rising id
	commit  commit
	aborts  []checkpoint.ID // those of this epoch that were aborted; bounded

	wanted      bool // somebody asked for a checkpoint
	final       finalStage
	finalAfter  time.Time
	failures    int // in a row
	lastTrigger time.Time
	lastEnd     time.Time

	why error // it stopped
	out []action
}

// phase is what a machine is about.
type phase uint8

const (
	idle    phase = iota
	opening       // it tries to lead
	leads
	stopped // it leads no more
)

// attempt is the execution of the job that is under way.
type attempt struct {
	stage    attemptStage
	number   checkpoint.Attempt
	graph    checkpoint.Graph
	from     Ref                    // what is being restored
	subtasks []checkpoint.SubtaskID // never changed in place
	started  time.Time
	failing  bool // it was told to fail
}

type attemptStage uint8

const (
	noAttempt attemptStage = iota
	waiting                // for a commit in doubt to be resolved
	restoring              // the manifest is being read
	ready                  // not started yet
	running
)

// base is a committed checkpoint and what it reaches. The zero base is none.
type base struct {
	Ref
	objects map[string]incremental.Object // never changed in place
}

// pending is a checkpoint under way.
type pending struct {
	Ref
	kind      checkpoint.Kind
	base      base
	triggered time.Time
	deadline  time.Time
	state     State
	attempt   checkpoint.Attempt
	acks      []*checkpoint.Ack // by subtask; nil: missing
	missing   int
	stats     incremental.Stats // once assembled
}

// finalStage is where the final checkpoint is.
type finalStage uint8

const (
	notFinal    finalStage = iota
	finalComing            // all input has been read
	finalWanted
	finalPending
	finalDone
)

// maxAborts bounds the aborted checkpoints whose late acknowledgements are
// known for what they are; a sweep finds what older ones leave behind.
const maxAborts = 1024

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
	case attached:
		m.attach(e)
	case restored:
		m.onRestored(e)
	case started:
		if m.starts(e.execution) {
			m.attempt.stage, m.attempt.subtasks, m.attempt.started = running, e.subtasks, now
		}
	case acked:
		m.ack(now, e.Ack)
	case declined:
		m.decline(now, e.Decline)
	case asked:
		m.wanted = true
	case draining:
		if m.attempt.stage == running && m.final == notFinal {
			m.final = finalComing
		}
	case finishing:
		m.finish()
	case detached:
		m.detach(now)
	}
	if m.phase == leads {
		m.expire(now)
		m.proceed(now)
	}
	out := m.out
	m.out = nil
	return out
}

// starts reports whether x is the attempt that may start now.
func (m *machine) starts(x checkpoint.Execution) bool {
	return m.attempt.stage == ready && x == checkpoint.Execution{Epoch: m.head.Epoch, Attempt: m.attempt.number}
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
	return at
}

// find returns the pending checkpoint with the id.
func (m *machine) find(id checkpoint.ID) (*pending, bool) {
	i := slices.IndexFunc(m.pending, func(p pending) bool { return p.ID == id })
	if i < 0 {
		return nil, false
	}
	return &m.pending[i], true
}

func (m *machine) move(p *pending, to State) {
	p.state = to
	m.do(moved{p.ID, to})
}

// fenced ends the leadership: a newer leader took over, or head is not what
// this leader left.
func (m *machine) fenced(now time.Time, err error) {
	for _, p := range slices.Clone(m.pending) {
		// What it uploaded may have been committed by a swap that is still in
		// doubt, so nothing is discarded: the new leader's sweep decides.
		m.end(now, p, Aborted, byFence, err)
	}
	m.pending, m.commit = nil, commit{}
	m.phase, m.why = stopped, err
	if m.attempt.stage == waiting || m.attempt.stage == restoring {
		m.do(attachDone{err: err})
	}
	if m.attempt.stage == running {
		m.do(fail{err})
	}
	m.attempt = attempt{}
	if m.final == finalWanted || m.final == finalPending {
		m.do(finished{err})
	}
	m.do(stop{err})
}

// errDetached and others are reasons for an abort.
var (
	errDetached  = errors.New("the attempt ended")
	errTimeout   = errors.New("timed out")
	errOvertaken = errors.New("a newer checkpoint was committed first")
)

func fencedBy(h Head) error {
	return fmt.Errorf("head is of epoch %d: %w", h.Epoch, checkpoint.ErrFenced)
}
