package rocks

import (
	"sync"
	"time"
)

const (
	// jumpsFrom is by how much a clock must run ahead to have jumped. Less is how a
	// clock is set right.
	jumpsFrom = 10 * time.Second
	// believedAfter is how long a clock must have gone on after a jump to be believed.
	believedAfter = time.Hour
)

// steady is a clock for what cannot be undone. The clock of a machine may run ahead for a
// while, by years, and what is dropped by it then would be lost for good. So steady does
// not follow a jump ahead, but goes on at the pace that the process measures, until the
// clock comes back or has gone on from there for believedAfter. Any goroutine may use it.
type steady struct {
	clock func() time.Time

	mu    sync.Mutex
	last  time.Time // of clock
	jumps jumps
}

// startAfter says that a time had come before: that of the newest file, say. Without it
// the clock is believed as it is.
func (s *steady) startAfter(unix int64) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = now
	if unix > 0 {
		s.jumps.pass(now.Sub(time.Unix(unix, 0)), 0)
	}
}

// unixMillis is the time now.
func (s *steady) unixMillis() int64 {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		// Sub measures; without their monotonic readings the times differ by what the clock shows.
		s.jumps.pass(now.Round(0).Sub(s.last.Round(0)), now.Sub(s.last))
	}
	s.last = now
	return now.Add(-s.jumps.ahead).UnixMilli()
}

// jumps decides which jumps of a clock are believed.
type jumps struct {
	ahead time.Duration // what is not believed yet
	since time.Duration // for how long it has stood
}

// pass is called when some time has passed, as the clock shows it and as it was measured.
func (j *jumps) pass(shown, measured time.Duration) {
	jump := shown - measured
	switch j.since += measured; {
	case jump >= jumpsFrom:
		j.ahead, j.since = j.ahead+jump, 0
	case jump <= -jumpsFrom:
		j.ahead, j.since = max(0, j.ahead+jump), 0
	case j.since >= believedAfter:
		j.ahead = 0
	}
}
