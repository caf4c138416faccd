package rocks

import (
	"github.com/zeebo/xxh3"

	"github.com/tidemark/tidemark/engine/state"
)

var _ state.ExpectingColumn = (*column)(nil)

// expectFrom is from how many entries on the table is too large for the
// processor's caches. Then most of a lookup is waiting for memory, and to wait
// for many keys takes hardly longer than for one.
const expectFrom = 1 << 15

// Expects implements state.ExpectingColumn.
func (c *column) Expects() bool { return !c.db.closed && c.live.index.entries >= expectFrom }

// Expect implements state.ExpectingColumn: it touches what lookups will. Each
// loop's reads depend on none of its own, so that the processor overlaps them.
func (c *column) Expect(keys [][]byte) {
	c.expected = c.expected[:0]
	for _, key := range keys {
		c.expected = append(c.expected, xxh3.Hash(key))
	}
	for i, hash := range c.expected {
		c.expected[i] = c.live.index.first(hash)
	}
	touched := byte(0)
	for _, slot := range c.expected {
		if slot != 0 {
			touched += c.live.arena.memory[address(slot)>>chunkBits][int(address(slot)&offsetInChunk)*unitBytes]
		}
	}
	c.touched = touched // or the compiler leaves the reads out
}
