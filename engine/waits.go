package engine

import (
	"sync/atomic"
	"time"
)

// waits is how long a subtask has stood still. Its goroutine writes, any may read.
type waits struct {
	began         atomic.Int64 // nanoseconds since 1970; zero: it does not run yet
	idle, blocked span
	busy          atomic.Int64 // nanoseconds, the most that times returned
}

// span adds up periods. One that goes on counts until now.
type span struct {
	sum   atomic.Int64 // nanoseconds
	since atomic.Int64 // when the one that goes on began, nanoseconds since 1970; zero: none does
	most  atomic.Int64 // that until returned, nanoseconds: while a period ends, it is not in sum yet
}

func (s *span) begin() { s.since.Store(time.Now().UnixNano()) }

func (s *span) end() {
	s.sum.Add(max(0, time.Now().UnixNano()-s.since.Swap(0)))
}

func (s *span) until(now time.Time) time.Duration {
	d := s.sum.Load()
	if since := s.since.Load(); since != 0 {
		d += max(0, now.UnixNano()-since)
	}
	return most(&s.most, d)
}

// most returns the greatest of all v so far: what is counted never falls.
func most(of *atomic.Int64, v int64) time.Duration {
	for old := of.Load(); v > old && !of.CompareAndSwap(old, v); old = of.Load() {
	}
	return time.Duration(of.Load())
}

// times splits the time since the subtask began: what it did not wait for, it worked.
func (w *waits) times(now time.Time) (busy, idle, blocked time.Duration) {
	began := w.began.Load()
	if began == 0 {
		return 0, 0, 0
	}
	idle, blocked = w.idle.until(now), w.blocked.until(now)
	return most(&w.busy, now.UnixNano()-began-int64(idle+blocked)), idle, blocked
}
