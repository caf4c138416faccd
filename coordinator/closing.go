package coordinator

import (
	"errors"
	"time"
)

// ErrClosed: the coordinator was closed.
var ErrClosed = errors.New("coordinator is closed")

// close ends the attempt, and lets nothing begin any more.
func (m *machine) close(now time.Time) {
	m.closing = true
	m.detach(now)
}

// closeUp ends the leadership of a machine that closes, once nothing is under
// way. A commit in doubt is resolved before the last sweep, or that would leave
// what it did not commit, or take what it did. Nothing is committed after the
// last sweep was decided.
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
