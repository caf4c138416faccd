package rocks

import "github.com/zeebo/xxh3"

// A column's table holds recent entries in Go memory: what was written and is
// not in RocksDB yet, and what was read or written lately and may be wanted
// again. It is two generations. Writes, and entries that are read again, go to
// the live one. When that has grown to half of the budget it is written to
// RocksDB and becomes the old one as a whole, and the previous old one is
// forgotten. As long as nothing had to be forgotten, and RocksDB's column was
// empty at first, the table is whole: what it has not is nowhere.

// lookup returns the block of a key, nil where the table knows nothing of it.
// What is found in the old generation lives on in the live one.
func (c *column) lookup(hash uint64, key []byte) block {
	if _, b := c.live.find(hash, key); b != nil {
		return b
	}
	if c.old == nil {
		return nil
	}
	_, b := c.old.find(hash, key)
	if b != nil {
		c.remember(hash, key, b.value(), b.deleted())
	}
	return b
}

// remember adds an entry that RocksDB has to the table.
func (c *column) remember(hash uint64, key, value []byte, deleted bool) {
	before := c.live.bytes()
	c.live.remember(hash, key, value, deleted)
	c.db.liveBytes += c.live.bytes() - before
}

// set writes a value, or a deletion, to the table.
func (c *column) set(key, value []byte, deleted bool) {
	before := c.live.bytes()
	c.live.set(xxh3.Hash(key), key, value, deleted)
	c.db.liveBytes += c.live.bytes() - before
}

// age makes the live generation, which is written, the old one.
func (c *column) age() {
	if c.old != nil && c.old.index.entries > 0 {
		c.whole = false
	}
	c.old, c.live = c.live, &generation{form: c.form}
}
