package table

import (
	"bytes"
	"slices"
)

const (
	// largeTable is the number of entries from which on a table does not fit in the
	// processor's caches. Most of a lookup is then waiting for memory, and to wait for
	// many keys takes hardly longer than for one.
	largeTable = 1 << 15
	// lineBytes is what the processor fetches at once. Of an entry two are touched.
	lineBytes = 64
	// restBatches is the number of batches for which reading ahead pauses after little
	// of one was used.
	restBatches = 16
	// usedShare: little is under 1/usedShare of a batch, since a single read costs
	// twice as much as one ahead.
	usedShare = 2
)

// readAhead is what a table knows of the keys that come next.
type readAhead struct {
	places  []Place // their keys are the caller's
	touched byte

	asked     int     // places in the last batch
	resting   int     // batches for which nothing is read ahead
	used      int     // accesses to entries that a batch may hold, in all
	before    int     // used, when the last batch began
	missing   []Place // of places: those that neither the table nor Below has
	evictions int64   // of the table when missing was true
	reader    Reader
}

// Expects reports whether a call of Expect would save anything at the moment.
func (t *Table) Expects() bool {
	return t.owner.closed == nil && (!t.whole || t.index.entries >= largeTable)
}

// Expect announces the entries that will be accessed next. It touches the memory that
// the lookups will read, and reads the entries that the table lacks by one call of
// Below's Reader. It changes nothing but speed. The table keeps and reorders places;
// their keys must not change until the next call.
func (t *Table) Expect(places []Place) error {
	t.owner.yield(1)
	a := &t.ahead
	a.places, a.missing = places, a.missing[:0]
	// No read of a loop depends on another one of it, so the processor overlaps them.
	touched := byte(0)
	for _, p := range places {
		touched += byte(t.index.first(p.hash()))
	}
	for _, p := range places {
		if slot := t.index.first(p.hash()); slot != 0 {
			chunk := t.arena.memory[address(slot)>>chunkBits]
			at := int(address(slot)&offsetInChunk) * unitBytes
			touched += chunk[at] + chunk[min(at+lineBytes, len(chunk)-1)]
		}
	}
	a.touched = touched // or the compiler leaves the reads out
	if t.whole || !a.worthwhile(len(places)) {
		return nil
	}
	return t.readAhead()
}

// worthwhile decides whether to read the next batch, of next keys, ahead. It looks at
// how many of the last batch were used: a state may be written blindly, or
// hardly ever be used. Adding to an entry that the table lacks uses nothing.
func (a *readAhead) worthwhile(next int) bool {
	if usedShare*(a.used-a.before) < a.asked {
		a.resting = restBatches
	}
	a.before, a.asked = a.used, next
	if a.resting > 0 {
		a.resting--
		return false
	}
	return true
}

// readAhead reads the expected entries that the table lacks.
func (t *Table) readAhead() error {
	a := &t.ahead
	if a.reader == nil {
		a.reader = t.below.Reader()
	}
	misses := slices.DeleteFunc(a.places, func(p Place) bool { return t.find(&p) != nil || t.complete(&p) })
	slices.SortFunc(misses, func(a, b Place) int { return bytes.Compare(a.Key, b.Key) })
	misses = slices.CompactFunc(misses, func(a, b Place) bool { return bytes.Equal(a.Key, b.Key) })
	t.share.budget.misses.Add(int64(len(misses)))
	key := func(i int) []byte { return misses[i].Key }
	err := a.reader.Read(len(misses), key, func(i int, stored []byte) (err error) {
		if stored == nil {
			a.missing = append(a.missing, misses[i])
			return nil
		}
		if t.form != nil {
			if t.scratch, err = t.form.Decode(t.scratch[:0], stored); err != nil {
				return err
			}
			stored = t.scratch
		}
		t.remember(&misses[i], stored)
		return nil
	})
	a.evictions = t.evictions
	return err
}

// absent reports whether an entry that the table lacks is known to be absent from
// Below, too.
func (t *Table) absent(p *Place) bool {
	if t.whole || t.complete(p) {
		return true
	}
	a := &t.ahead
	if len(a.missing) == 0 || a.evictions != t.evictions {
		return false
	}
	_, found := slices.BinarySearchFunc(a.missing, p.Key, func(m Place, key []byte) int { return bytes.Compare(m.Key, key) })
	return found
}
