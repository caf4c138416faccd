package rocks

// #include "shim.h"
import "C"

import (
	"bytes"
	"encoding/binary"
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
	// which hardly anything was wanted.
	restBatches = 16
	// aheadBytes is the first guess of what the values of a batch take.
	aheadBytes = 16 << 10
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
	keys    []byte
	buf     []byte
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
	if t.whole || !e.worthwhile() {
		return nil
	}
	return c.readAhead()
}

// worthwhile reports whether what was expected lately was wanted: a state may
// be written blindly, or hardly ever be used.
func (e *expected) worthwhile() bool {
	got := e.wanted - e.before
	e.before = e.wanted
	if e.resting > 0 {
		e.resting--
		e.asked = 0
		return e.resting == 0
	}
	if 2*got < e.asked {
		e.resting = restBatches
	}
	e.asked = len(e.places)
	return true
}

// readAhead reads the expected entries that the table does not have.
func (c *column) readAhead() error {
	e, t := &c.expected, &c.table
	misses := slices.DeleteFunc(e.places, func(p place) bool { return t.find(p) != nil })
	slices.SortFunc(misses, func(a, b place) int { return bytes.Compare(a.key, b.key) })
	misses = slices.CompactFunc(misses, func(a, b place) bool { return bytes.Equal(a.key, b.key) })
	e.places = misses
	for len(misses) > 0 {
		e.keys = e.keys[:0]
		for _, p := range misses {
			e.keys = append(binary.NativeEndian.AppendUint32(e.keys, uint32(len(p.key))), p.key...)
		}
		e.buf = slices.Grow(e.buf[:0], aheadBytes)
		room := e.buf[:cap(e.buf)]
		var done C.size_t
		msg := C.tm_multi_get(cDB(c.db.db), cColumn(c.handle), bytesOf(e.keys), C.size_t(len(misses)), bytesOf(room), C.size_t(len(room)), &done)
		if msg != nil {
			return failure("get", c.db.dir, taken(msg))
		}
		for _, p := range misses[:done] {
			length := binary.NativeEndian.Uint32(room)
			room = room[4:]
			if length == C.TM_DELETED {
				e.missing = append(e.missing, p)
				continue
			}
			if err := c.rememberStored(p, room[:length]); err != nil {
				return err
			}
			room = room[length:]
		}
		if misses = misses[done:]; done == 0 {
			e.buf = slices.Grow(e.buf, 4*cap(e.buf))
		}
	}
	e.forgets = t.forgets
	return nil
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
