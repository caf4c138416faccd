package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// close ends the attempt, and lets nothing begin any more.
func (m *machine) close(now time.Time) {
	m.closing = true
	if m.phase == leads && m.attempt.stage == running {
		m.do(fail{ErrClosed}) // or it would run on without checkpoints
	}
	m.detach(now)
}

// closeUp ends the leadership of a machine that closes, once nothing is under way. A
// commit in doubt is resolved before the last sweep. Otherwise the sweep could leave
// the objects of a lost commit, or delete those of a won one. Nothing is committed
// after the last sweep was decided.
func (m *machine) closeUp(now time.Time) {
	if !m.closing {
		return
	}
	if m.phase == leads {
		if m.writes > 0 || m.commit.stage != noCommit && m.rules.on(closesLast) {
			return
		}
		m.pending = nil
		m.settled()
		if m.sound {
			m.sweep(now)
		}
		m.phase, m.why = stopped, ErrClosed
	}
	m.closing = false
	m.do(closed{})
}

// fenced ends the leadership: a newer leader took over, or head is not what
// this leader left.
func (m *machine) fenced(now time.Time, err error) {
	for _, p := range slices.Clone(m.pending) {
		// What it uploaded may have been committed by a swap that is still in
		// doubt, so nothing is discarded: the new leader's sweep decides.
		m.end(now, p, Aborted, byFence, err)
	}
	m.settled()
	m.pending = nil
	m.phase, m.why = stopped, err
	if m.attempt.stage == running {
		m.do(fail{err})
	}
	m.endAttempt(err)
	m.raise(now, 0, LeadershipLost, err.Error())
	m.do(stop{err})
}

func fencedBy(h Head) error {
	return fmt.Errorf("head is of epoch %d: %w", h.Epoch, checkpoint.ErrFenced)
}
