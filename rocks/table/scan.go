package table

import (
	"bytes"
	"errors"
	"iter"
	"slices"
)

// A scan merges two sorted sources: what the table has and Below lacks, and an iterator
// of Below. It copies the former, so that it keeps nothing of the table, which writes,
// flushes and evicts while scans are open. What it copies is bounded. If it is more, a
// scan of the whole column holds a flush (hold.go), and any other has the table flushed
// first: then Below has everything.

// mostScanBytes is how much a scan copies at most, and scanPart which part of a budget.
const (
	mostScanBytes = 4 << 20
	scanPart      = 16
)

// Scan returns the entries with start ≤ key < end, in order and in Below's form; a
// nil end is the end of the column. It sees the table as it was when Scan was called.
func (t *Table) Scan(start, end []byte) Iterator {
	if t.owner.closed != nil {
		return Failed(t.owner.closed)
	}
	t.owner.settleEnded()
	s := t.newScan()
	s.merge(start, end, true, func(written uint64) iter.Seq[block] { return t.unwritten(start, end, written) })
	return s
}

// ScanRow is Scan for the entries of a row. end is the least key beyond the row, and in
// returns the place of one of its keys. A small row is remembered: the next scan of it
// does not read Below.
func (t *Table) ScanRow(row *Place, end []byte, in func(key []byte) Place) Iterator {
	if t.rows == nil || t.owner.closed != nil {
		return t.Scan(row.rowKey(), end)
	}
	t.owner.settleEnded()
	s := t.newScan()
	if t.knows(row) && s.copy(t.entriesOf(row, false, 0)) {
		return s
	}
	s.merge(row.rowKey(), end, false, func(written uint64) iter.Seq[block] { return t.entriesOf(row, true, written) })
	s.rememberRow(row, in)
	return s
}

// knows reports whether Below has nothing of a row that the table lacks.
func (t *Table) knows(row *Place) bool { return t.whole || t.complete(row) }

// complete reports whether the row of a place is complete.
func (t *Table) complete(p *Place) bool {
	return t.rows != nil && t.rows.complete(t.arena.memory, p)
}

// entriesOf yields what the table has of a row: all entries, or with unwritten those of
// newer generations, and heads.
func (t *Table) entriesOf(row *Place, unwritten bool, written uint64) iter.Seq[block] {
	return func(yield func(block) bool) {
		for at, b := range t.rows.each(t.arena.memory, row) {
			switch g := b.generation(); {
			case b.head() && (!unwritten || g <= written):
			case !b.head() && b.deleted() && g <= t.clean:
				t.remove(at, b) // Below has no such entry either, and the next scan need not pass it
			case unwritten && g <= written:
			case !yield(t.arena.memory.view(at)):
				return
			case !unwritten:
				b.markRecent()
			}
		}
	}
}

// unwritten yields the entries of newer generations from start to end, and all heads.
func (t *Table) unwritten(start, end []byte, written uint64) iter.Seq[block] {
	within := func(key []byte) bool {
		return bytes.Compare(key, start) >= 0 && (end == nil || bytes.Compare(key, end) < 0)
	}
	return func(yield func(block) bool) {
		for _, f := range t.flushes {
			if f.to() <= written {
				continue
			}
			for at, b := range f.blocks.each() {
				if b.dead() || !b.head() && (!within(b.key()) || t.replaced(at, b)) {
					continue
				}
				if !yield(b) {
					return
				}
			}
		}
		for _, b := range t.blocksOf(t.dirty).each() {
			if !b.dead() && (b.head() || within(b.key())) && !yield(b) {
				return
			}
		}
	}
}

// replaced reports whether the index has another block for the key of an entry, or none.
func (t *Table) replaced(at address, b block) bool {
	now, _ := t.index.find(t.arena.memory, b.hash(), b.key(), false)
	return now != at
}

// scan implements Iterator.
type scan struct {
	table  *Table // nil: closed
	form   *Form
	folder folder
	upper  []block // copies of the table's, in order, not passed yet
	bytes  int     // of all copies
	held   *held   // what takes the place of upper; nil: nothing is held

	base       Iterator // nil: the table had all entries
	baseMore   bool     // base is at an entry
	baseBegun  bool
	settled    bool   // no flush was in flight when base began
	clean      uint64 // the table's, then
	fromBase   bool   // the current entry is base's
	key, value []byte
	scratch    []byte // for values that are encoded
	err        error
}

func (t *Table) newScan() *scan {
	s := &scan{table: t, form: t.form, folder: folder{fold: t.folder.fold, form: t.form}}
	t.owner.scans[s] = struct{}{}
	return s
}

// copy takes over what the table has; false: it is too much, or hides entries of Below.
func (s *scan) copy(blocks iter.Seq[block]) bool {
	const headerBytes = 24 // of a slice
	most := int(min(mostScanBytes, s.table.share.budget.limit/scanPart))
	size, all := 0, 0
	var upper []block
	for b := range blocks {
		if size, all = size+len(b), all+len(b)+headerBytes; all > most || b.head() {
			return false
		}
		upper = append(upper, b)
	}
	copies := make([]byte, 0, size)
	for i, b := range upper {
		before := len(copies)
		copies = append(copies, b...)
		upper[i] = block(copies[before:len(copies):len(copies)])
	}
	slices.SortFunc(upper, func(a, b block) int { return bytes.Compare(a.key(), b.key()) })
	s.upper, s.bytes = upper, all
	return true
}

// merge makes s a scan of Below from start to end, and of what of the table is newer
// than what Below has: than the generation that unwritten is given.
func (s *scan) merge(start, end []byte, once bool, unwritten func(written uint64) iter.Seq[block]) {
	t := s.table
	written := s.read(start, end, once)
	if s.copy(unwritten(written)) {
		return
	}
	if start == nil && end == nil && s.hold() { // of the whole column
		return
	}
	err := s.base.Close()
	s.base = nil
	if s.err = errors.Join(err, t.owner.Spill(t)); s.err == nil {
		s.read(start, end, once)
	}
}

// read opens an iterator of Below, and returns the newest generation that it has.
func (s *scan) read(start, end []byte, once bool) (written uint64) {
	t := s.table
	s.settled, s.clean, written = len(t.flushes) == 0, t.clean, t.clean
	for i := range t.flushes {
		e := t.flushes[i].Entries
		if t.folder.fold != nil { // an operand is published before the iterator begins, or after
			e.publishing.Lock()
			defer e.publishing.Unlock()
		}
		if e.published.Load() {
			written = t.flushes[i].to()
		}
	}
	s.base = t.below.Scan(start, end, once)
	return written
}

// Next implements Iterator.
func (s *scan) Next() bool {
	if s.base != nil && (s.fromBase || !s.baseBegun) {
		s.fromBase, s.baseBegun = false, true
		s.baseMore = s.base.Next()
	}
	s.key, s.value = nil, nil
	for s.Err() == nil {
		b := s.above()
		order := -1 // of b before base's entry
		switch {
		case b == nil && !s.baseMore:
			return false
		case b == nil:
			order = 1
		case s.baseMore:
			order = bytes.Compare(b.key(), s.base.Key())
		}
		if order > 0 {
			s.key, s.value, s.fromBase = s.base.Key(), s.base.Value(), true
			s.keep()
			return true
		}
		s.pass()
		if !b.deleted() {
			s.take(b, order == 0)
		}
		if order == 0 { // the upper entry is newer
			s.baseMore = s.base.Next()
		} else if s.base != nil {
			s.onlyAbove(b)
		}
		if !b.deleted() {
			s.keep()
			return s.err == nil
		}
	}
	return false
}

// Seek implements Iterator.
func (s *scan) Seek(key []byte) bool {
	for b := s.above(); b != nil && bytes.Compare(b.key(), key) < 0; b = s.above() {
		s.pass()
	}
	if s.base != nil && (!s.baseBegun || s.baseMore && bytes.Compare(s.base.Key(), key) < 0) {
		s.baseMore = s.base.Seek(key)
		s.baseBegun, s.fromBase = true, false
	}
	return s.Next()
}

// above is the next of the table's entries; nil: there is none.
func (s *scan) above() block {
	switch {
	case s.held != nil:
		return s.held.next
	case len(s.upper) > 0:
		return s.upper[0]
	}
	return nil
}

// pass goes on behind above.
func (s *scan) pass() {
	if s.held != nil {
		s.held.next = s.held.order.step()
	} else {
		s.upper = s.upper[1:]
	}
}

// onlyAbove tells the table of an entry that base does not have. So the tombstone of an
// entry that never came to Below is passed once.
func (s *scan) onlyAbove(b block) {
	t := s.table
	if b[20]&flagNew != 0 || !s.settled || len(t.flushes) > 0 || t.clean != s.clean {
		return // it is known, or Below may have more than base
	}
	at, now := t.index.find(t.arena.memory, b.hash(), b.key(), false)
	switch {
	case now == nil:
	case now.deleted():
		t.remove(at, now)
	default:
		now[20] |= flagNew
	}
}

// take makes an entry of the table the current one. based: base is at the same key.
func (s *scan) take(b block, based bool) {
	s.key, s.value = b.key(), b.value()
	switch {
	case b.operand():
		var older []byte
		if based {
			older = append([]byte{}, s.base.Value()...) // nil would say that there is no value
		}
		s.scratch, s.err = s.folder.stored(s.scratch[:0], older, s.value)
		s.value = s.scratch
	case s.form != nil:
		s.scratch, s.err = s.form.Encode(s.scratch[:0], s.value)
		s.value = s.scratch
	}
}

// Key implements Iterator.
func (s *scan) Key() []byte { return s.key }

// Value implements Iterator.
func (s *scan) Value() []byte { return s.value }

// Err implements Iterator.
func (s *scan) Err() error {
	if s.err == nil && s.base != nil {
		return s.base.Err()
	}
	return s.err
}

// Close implements Iterator.
func (s *scan) Close() error { return s.end(nil) }

// end closes the scan. reason is what Err returns from now on.
func (s *scan) end(reason error) (err error) {
	if s.table == nil {
		s.err = reason
		return nil
	}
	if s.base != nil {
		err = s.base.Close()
	}
	s.letGo()
	delete(s.table.owner.scans, s)
	*s = scan{err: reason}
	return err
}
