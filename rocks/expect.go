package rocks

import (
	"bytes"
	"slices"

	"github.com/tidemark/tidemark/engine/state"
)

var _ state.ExpectingColumn = (*column)(nil)

const (
	// expectFrom is from how many entries on the table is too large for the
	// processor's caches. Then most of a lookup is waiting for memory, and to
	// wait for many keys takes hardly longer than for one.
	expectFrom = 1 << 15
	// lineBytes is what the processor fetches at once. Of an entry two are touched.
	lineBytes = 64
	// restBatches is for how many batches nothing is read ahead after one of
	// which little was wanted.
	restBatches = 16
	// wantedShare is one by what share of a batch is little: to read alone costs
	// twice as much as ahead, and so half of it is. Where what is not read now, to
	// be added to, is read when it is written, for less, a quarter is.
	wantedShare, wantedShareBlind = 2, 4
)

// expected is what is known of the keys that come next.
type expected struct {
	places  []place // their keys are copies
	touched byte

	asked   int     // how many were expected last
	resting int     // batches
	wanted  int     // accesses to what could have been expected, in all
	before  int     // wanted, when the last batch was expected
	missing []place // of places, that neither the table has nor RocksDB
	forgets int64   // of the table when that was so
	ahead   multiGet
}

// Expects implements state.ExpectingColumn.
func (c *column) Expects() bool {
	return !c.db.closed && (!c.table.whole || c.table.index.entries >= expectFrom)
}

// Expect implements state.ExpectingColumn. It touches what lookups will, and
// reads what the table does not have in one go.
func (c *column) Expect(places []state.Place) error {
	c.db.yieldMemory()
	e, t := &c.expected, &c.table
	e.places, e.missing = e.places[:0], e.missing[:0]
	for _, p := range places {
		e.places = append(e.places, placeOf(p))
	}
	// Each loop's reads depend on none of its own, so that the processor
	// overlaps them.
	touched := byte(0)
	for _, p := range e.places {
		touched += byte(t.index.first(p.hash))
	}
	for _, p := range e.places {
		if slot := t.index.first(p.hash); slot != 0 {
			chunk := t.arena.memory[address(slot)>>chunkBits]
			at := int(address(slot)&offsetInChunk) * unitBytes
			touched += chunk[at] + chunk[min(at+lineBytes, len(chunk)-1)]
		}
	}
	e.touched = touched // or the compiler leaves the reads out
	if t.whole || !e.worthwhile(len(e.places), wantedShareOf(t.folder.fold != nil)) {
		return nil
	}
	return c.readAhead()
}

func wantedShareOf(blind bool) int {
	if blind {
		return wantedShareBlind
	}
	return wantedShare
}

// worthwhile decides whether to read ahead the next batch, of so many keys, by
// what of the last one was wanted: a state may be written blindly, or hardly ever
// be used. Adding to what the table does not have wants nothing.
func (e *expected) worthwhile(next, share int) bool {
	if share*(e.wanted-e.before) < e.asked {
		e.resting = restBatches
	}
	e.before, e.asked = e.wanted, next
	if e.resting > 0 {
		e.resting--
		return false
	}
	return true
}

// readAhead reads the expected entries that the table does not have.
func (c *column) readAhead() error {
	e, t := &c.expected, &c.table
	misses := slices.DeleteFunc(e.places, func(p place) bool { return t.find(p) != nil })
	slices.SortFunc(misses, func(a, b place) int { return bytes.Compare(a.key, b.key) })
	misses = slices.CompactFunc(misses, func(a, b place) bool { return bytes.Equal(a.key, b.key) })
	e.places = misses
	key := func(i int) []byte { return misses[i].key }
	err := e.ahead.read(c.db.db, c.handle, c.db.dir, len(misses), key, func(i int, stored []byte) error {
		if stored == nil {
			e.missing = append(e.missing, misses[i])
			return nil
		}
		return c.rememberStored(misses[i], stored)
	})
	e.forgets = t.forgets
	return err
}

// rememberStored adds an entry as RocksDB has it to the table.
func (c *column) rememberStored(p place, stored []byte) error {
	if c.table.form != nil {
		var err error
		if c.room, err = c.table.form.Decode(c.room[:0], stored); err != nil {
			return err
		}
		stored = c.room
	}
	c.remember(p, stored)
	return nil
}

// absent reports whether an entry, which the table does not have, is known not
// to be in RocksDB either.
func (c *column) absent(p place) bool {
	e := &c.expected
	if len(e.missing) == 0 || e.forgets != c.table.forgets {
		return false
	}
	_, found := slices.BinarySearchFunc(e.missing, p.key, func(m place, key []byte) int { return bytes.Compare(m.key, key) })
	return found
}
