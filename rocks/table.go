package rocks

import "slices"

// A column's table holds recent entries in Go memory: what was written and is
// not in RocksDB yet, and what was read or written lately and may be wanted
// again. It is two generations. Writes, and entries that are read again, go to
// the live one. When it has grown to half of the budget, or a checkpoint
// begins, it becomes the old one as a whole, in constant time, and the previous
// old one is forgotten. Nothing in an old generation changes any more, so that
// another goroutine can write it to disk.
type generation struct {
	entries map[string]*entry
	dirty   []string // keys of entries that are not in RocksDB, each once
}

// entry is a value, or the absence of one.
type entry struct {
	value   []byte
	deleted bool
	dirty   bool
	shared  bool // another generation has the same value: replace, never overwrite
}

// entryOverhead is about what an entry costs in memory beside key and value.
const entryOverhead = 128

func newGeneration() *generation { return &generation{entries: map[string]*entry{}} }

func cost(key string, e *entry) int64 { return int64(len(key)+cap(e.value)) + entryOverhead }

// lookup returns the entry of key, nil where the table knows nothing of it.
// What is found in the old generation lives on in the live one.
func (c *column) lookup(key []byte) *entry {
	if e := c.live.entries[string(key)]; e != nil {
		return e
	}
	if e := c.old.entries[string(key)]; e != nil {
		young := &entry{value: e.value, deleted: e.deleted, shared: true}
		c.insert(string(key), young)
		return young
	}
	return nil
}

func (c *column) insert(key string, e *entry) {
	c.live.entries[key] = e
	c.db.liveBytes += cost(key, e)
}

// remember puts a value that was read from RocksDB into the table.
func (c *column) remember(key, value []byte) {
	c.insert(string(key), &entry{value: slices.Clone(value)})
}

// set writes a value, or a deletion, to the table.
func (c *column) set(key, value []byte, deleted bool) {
	e := c.live.entries[string(key)]
	if e == nil {
		e = &entry{}
		c.live.entries[string(key)] = e
		c.db.liveBytes += cost(string(key), e)
	}
	before := cap(e.value)
	if e.shared {
		e.value, e.shared = nil, false
	}
	e.value = append(e.value[:0], value...)
	e.deleted = deleted
	c.db.liveBytes += int64(cap(e.value) - before)
	c.markDirty(key, e)
}

func (c *column) markDirty(key []byte, e *entry) {
	if !e.dirty {
		e.dirty = true
		c.live.dirty = append(c.live.dirty, string(key))
	}
}

// age makes the live generation the old one, and returns it.
func (c *column) age() *generation {
	c.old, c.live = c.live, newGeneration()
	return c.old
}

// revive takes back what could not be written of the old generation. Newer
// entries win.
func (c *column) revive(old *generation) {
	for _, key := range old.dirty {
		e := c.live.entries[key]
		if e == nil {
			was := old.entries[key]
			e = &entry{value: was.value, deleted: was.deleted, shared: true}
			c.insert(key, e)
		}
		c.markDirty([]byte(key), e)
	}
}
