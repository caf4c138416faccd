package rocks

import (
	"github.com/tidemark/tidemark/engine/state"
)

var _ state.ExpectingColumn = (*column)(nil)

// expectFrom is from how many entries on the table is too large for the
// processor's caches. Then most of a lookup is waiting for memory, and to wait
// for many keys takes hardly longer than for one.
const expectFrom = 1 << 15

// expected is what is known of keys that are about to come.
type expected struct {
	hashes  []uint32
	touched byte
}

func (e *expected) absent(place) bool { return false }

// Expects implements state.ExpectingColumn.
func (c *column) Expects() bool { return !c.db.closed && c.table.index.entries >= expectFrom }

// Expect implements state.ExpectingColumn: it touches what lookups will. Each
// loop's reads depend on none of its own, so that the processor overlaps them.
func (c *column) Expect(places []state.Place) error {
	e, t := &c.expected, &c.table
	e.hashes = e.hashes[:0]
	for _, p := range places {
		e.hashes = append(e.hashes, uint32(p.Hash>>32))
	}
	touched := byte(0)
	for _, hash := range e.hashes {
		touched += byte(t.index.first(hash))
	}
	for _, hash := range e.hashes {
		if slot := t.index.first(hash); slot != 0 {
			touched += t.arena.memory[address(slot)>>chunkBits][int(address(slot)&offsetInChunk)*unitBytes]
		}
	}
	e.touched = touched // or the compiler leaves the reads out
	return nil
}
