package table

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// Budget is memory that the tables of several databases share. Any goroutine may
// use it. The share of a database grows and shrinks with what the databases need.
type Budget struct {
	limit  int64 // bytes
	chunks *chunks

	mu     sync.Mutex
	used   int64
	shares map[*share]struct{}
	// starved: a database that has less than an even share found no memory left.
	// Those that have more are asked to give some back.
	starved atomic.Bool

	reads, misses atomic.Int64
}

// countReads is how many reads of a table are counted at a time: a read takes not much
// longer than to count it.
const countReads = 256

// NewBudget returns a budget of that many bytes, at most MaxBytes. Its memory lies
// outside of Go's heap. Close it when all tables are closed.
func NewBudget(bytes int64) (*Budget, error) {
	if bytes > MaxBytes {
		return nil, fmt.Errorf("memory for tables: %d bytes, at most %d", bytes, int64(MaxBytes))
	}
	c, err := newChunks(bytes / chunkBytes)
	if err != nil {
		return nil, fmt.Errorf("memory for tables: %w", err)
	}
	return &Budget{limit: bytes, chunks: c, shares: map[*share]struct{}{}}, nil
}

// Unlimited returns a budget without a limit, on Go's heap. It need not be closed.
func Unlimited() *Budget {
	return &Budget{limit: math.MaxInt64, chunks: &chunks{}, shares: map[*share]struct{}{}}
}

// Close frees the memory. No table may be open.
func (b *Budget) Close() error { return b.chunks.close() }

// Limit is the size of the budget in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Used is how many bytes tables take at the moment.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Reads returns how many entries tables were asked for, but for the last few of each,
// and how many of them were read from Below. Any goroutine.
func (b *Budget) Reads() (all, below int64) { return b.reads.Load(), b.misses.Load() }

// share is one database's part of a budget. It belongs to the database's goroutine,
// but for what budget.mu guards.
type share struct {
	budget   *Budget
	used     int64 // guarded by budget.mu
	overhead int64 // of used

	dirty     int64 // bytes of dirty entries that are in no flush
	spillFrom int64 // a spill begins above this many dirty bytes
	partBytes int64 // size of a part of the dirty set
}

func (b *Budget) newShare() *share {
	s := &share{budget: b, spillFrom: math.MaxInt64, partBytes: b.limit / 64}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shares[s] = struct{}{}
	return s
}

// reservedPart: 1/reservedPart of an even share is kept for each database, whatever
// the others take.
const reservedPart = 2

// take returns a chunk that a block of size fits in, for a table that has some
// bytes already; nil: the budget has no memory left.
func (s *share) take(size int, have int64) []byte {
	n := s.chunkFor(size, have)
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	free := b.limit - b.used
	even := b.limit / int64(len(b.shares))
	for other := range b.shares {
		if other != s {
			free -= max(0, even/reservedPart-other.used)
		}
	}
	if int64(n) > free {
		if s.used < even {
			b.starved.Store(true)
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
	if n >= chunkBytes {
		if chunk := b.chunks.take(n); chunk != nil {
			return chunk
		}
	}
	return make([]byte, n)
}

// chunkFor returns the size of a table's next chunk. Tables begin with small chunks,
// and small budgets stay with them.
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
	if len(chunk) >= chunkBytes {
		b.chunks.give(chunk)
	}
}

// size is how many bytes the share has.
func (s *share) size() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.used
}

// account says how much memory the tables take beside their chunks, and sets how
// much may be dirty: any amount while memory is plenty, three quarters of the share
// once seven eighths of the budget are used.
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

// asked reports whether the share should give back memory that another one needs.
func (s *share) asked() bool {
	return s.budget.starved.Load() && s.excess() && s.budget.starved.Swap(false)
}

// excess reports whether the share has more than an even one.
func (s *share) excess() bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.shares) > 1 && s.used > b.limit/int64(len(b.shares))
}

// close ends the share. Its chunks have been given back before.
func (s *share) close() {
	s.account(0)
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.shares, s)
}
