package coordinator

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// last is the last checkpoint of an attempt: the final one, once all input has been
// processed, or the one before the job is stopped. It is taken alone: what is still
// pending ends first, and nothing starts after it.
type last struct {
	stage   lastStage
	after   time.Time // lastWanted: not before
	drained bool      // all input has been read
	ended   bool      // all input has been processed, so it is the final one
	stop    bool      // somebody wants the job to stop
	reason  string    // why
}

type lastStage uint8

const (
	notLast    lastStage = iota
	lastComing           // all input has been read; it starts when that has been processed
	lastWanted
	lastPending
	lastDone
)

// drain lets no checkpoint start any more until finish: operators emit their last
// results, and have no barrier to align on.
func (m *machine) drain() {
	if m.attempt.stage != running {
		return
	}
	m.last.drained = true
	if m.last.stage < lastPending {
		m.last.stage = lastComing
	}
}

// finish asks for the final checkpoint.
func (m *machine) finish() {
	switch {
	case m.phase != leads || m.attempt.stage != running:
		m.do(finished{errDetached})
	case m.last.stage == lastDone:
		m.do(finished{})
	case !m.last.ended:
		m.last.ended = true
		if m.last.stage != lastPending {
			m.last.stage, m.last.after = lastWanted, time.Time{}
		}
	}
}

// stopJob ends the job on purpose: with a last checkpoint if that is asked for and an
// attempt runs, and else at once. From then on no attempt begins.
func (m *machine) stopJob(e stopping) {
	if err := m.refusal(); err != nil {
		m.do(stopDone{err: err})
		return
	}
	if e.checkpoint && m.attempt.stage == running && !m.attempt.failing {
		if m.last.stop = true; m.last.reason == "" {
			m.last.reason = e.reason
		}
		if m.last.stage == notLast {
			m.last.stage, m.last.after = lastWanted, time.Time{}
		}
		return
	}
	if m.over = checkpoint.ErrCancelled; e.checkpoint {
		m.over = checkpoint.ErrStopped // nothing was processed since the newest one
	}
	switch m.attempt.stage {
	case running:
		m.attempt.failing = true
		m.do(fail{m.over})
	case waiting, restoring:
		m.endAttempt(m.over)
	}
	m.do(stopDone{id: m.head.newest()})
}

// isLast reports whether the checkpoint is the attempt's last.
func (m *machine) isLast(p pending) bool {
	return m.last.stage == lastPending && (p.kind == checkpoint.Final || p.stop)
}

// lastWon ends an attempt whose last checkpoint is committed.
func (m *machine) lastWon(p pending) {
	m.last.stage = lastDone
	if m.last.ended {
		m.do(finished{})
	}
	if p.stop {
		m.over, m.attempt.failing = checkpoint.ErrStopped, true
		m.do(fail{m.over})
	}
	if m.last.stop {
		m.do(stopDone{id: p.ID})
	}
}

// refusalsAtEnd bounds the tries of a last checkpoint that the store refuses: no
// records are left that could be worth waiting for.
const refusalsAtEnd = 3

// retryLast takes the last checkpoint again, unless too many have failed. Then a job that
// was to stop goes on.
func (m *machine) retryLast(now time.Time, reason error) {
	m.last.stage, m.last.after = lastWanted, now.Add(backoff(m.failures))
	if m.last.drained && !m.last.ended {
		m.last.stage = lastComing
	}
	if !m.intolerable() && (m.tolerable < 0 || m.refusals < refusalsAtEnd) {
		return
	}
	err := fmt.Errorf("%d checkpoints in a row failed; the last: %w", m.failures, reason)
	m.answerLast(err)
	if m.last.stop = false; m.last.ended || !m.last.drained {
		m.last.stage, m.last.ended = notLast, false
	}
}

// answerLast tells those who wait for the last checkpoint that it will not come.
func (m *machine) answerLast(err error) {
	if m.last.ended && m.last.stage != lastDone {
		m.do(finished{err})
	}
	if m.last.stop && m.last.stage != lastDone {
		m.do(stopDone{err: err})
	}
}
