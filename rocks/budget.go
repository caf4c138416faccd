package rocks

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// budget is the memory for the tables of all databases that share resources.
// Any goroutine may use it: databases have one each.
type budget struct {
	limit  int64
	chunks *chunks

	mu     sync.Mutex
	used   int64
	shares map[*share]struct{}
	// hungry: a database that has less than its part found nothing left, and
	// those that have more are asked to give back.
	hungry atomic.Bool
}

func newBudget(limit int64) (*budget, error) {
	c, err := newChunks(limit / chunkBytes)
	if err != nil {
		return nil, fmt.Errorf("memory for tables: %w", err)
	}
	return &budget{limit: limit, chunks: c, shares: map[*share]struct{}{}}, nil
}

func (b *budget) close() error { return b.chunks.close() }

func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// share is what one database has of a budget. It belongs to the database's
// goroutine, but for what mu guards.
type share struct {
	budget   *budget
	used     int64 // guarded by budget.mu
	overhead int64 // of used

	dirty     int64 // bytes of entries that are not in RocksDB, nor on the way there
	spillFrom int64 // how much of that is too much
	partBytes int64 // how much of it is spilled in one piece
}

func (b *budget) newShare() *share {
	s := &share{budget: b, spillFrom: math.MaxInt64, partBytes: b.limit / 64}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares[s] = struct{}{}
	return s
}

// leastPart of an even part of the budget is kept for each database, whatever
// the others take.
const leastPart = 2

// take returns a chunk with room for a block of size, for a table that has so
// many bytes; nil: the budget has no memory left.
func (s *share) take(size int, have int64) []byte {
	n := s.chunkFor(size, have)
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	free := b.limit - b.used
	even := b.limit / int64(len(b.shares))
	for other := range b.shares {
		if other != s {
			free -= max(0, even/leastPart-other.used)
		}
	}
	if int64(n) > free {
		if s.used < even {
			b.hungry.Store(true)
		}
		return nil
	}
	return s.allocate(n)
}

// force is take without a limit.
func (s *share) force(size int, have int64) []byte {
	n := s.chunkFor(size, have)
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.allocate(n)
}

func (s *share) allocate(n int) []byte {
	b := s.budget
	b.used += int64(n)
	s.used += int64(n)
	if n == chunkBytes {
		if chunk := b.chunks.take(); chunk != nil {
			return chunk
		}
	}
	return make([]byte, n)
}

// chunkFor returns the size of a chunk: tables begin with small ones, and small
// budgets stay with them.
func (s *share) chunkFor(size int, have int64) int {
	n := firstChunk
	for n < chunkBytes && int64(n) < min(have, s.budget.limit/64) {
		n *= 2
	}
	return max(n, roundUp(unitsFor(size))*unitBytes)
}

// give returns a chunk.
func (s *share) give(chunk []byte) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= int64(len(chunk))
	s.used -= int64(len(chunk))
	if len(chunk) == chunkBytes {
		b.chunks.give(chunk)
	}
}

// size is how much the share has.
func (s *share) size() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.used
}

// account tells how much there is beside the chunks, and sets how much may be
// dirty: any amount while there is memory left, three quarters of the share
// once that gets scarce.
func (s *share) account(overhead int64) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += overhead - s.overhead
	s.used += overhead - s.overhead
	s.overhead = overhead
	s.spillFrom = math.MaxInt64
	if b.used > b.limit-b.limit/8 {
		s.spillFrom = s.used - s.used/4
	}
}

// excess reports whether the share is to give back memory that another needs.
func (s *share) excess() bool {
	b := s.budget
	if !b.hungry.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.shares) == 1 || s.used <= b.limit/int64(len(b.shares)) {
		return false
	}
	b.hungry.Store(false)
	return true
}

// close gives back what the share has but for chunks, which are given before.
func (s *share) close() {
	s.account(0)
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.shares, s)
}
