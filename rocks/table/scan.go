package table

import (
	"bytes"
	"slices"
)

// Scan returns the entries with start ≤ key < end, in order and in Below's form; a
// nil end is the end of the column. It sees the table as it was when Scan was
// called. While it is open the table evicts nothing.
func (t *Table) Scan(start, end []byte) Iterator {
	if t.owner.closed != nil {
		return Failed(t.owner.closed)
	}
	var upper blocks
	s := t.newScan()
	if t.whole {
		upper = blocks{memory: t.arena.memory, lists: [][]address{t.index.addresses(t.arena.memory)}}
	} else {
		t.owner.SettleAll()
		upper = t.blocksOf(t.dirty)
		s.readBelow(start, end)
	}
	s.hold()
	var skip func(key []byte) bool
	if len(start) > 0 || end != nil {
		skip = func(key []byte) bool {
			return bytes.Compare(key, start) < 0 || end != nil && bytes.Compare(key, end) >= 0
		}
	}
	s.upper = upper.sort(skip)
	s.block = s.upper.step()
	return s
}

// ScanRow is Scan for the entries of a row. end is the least key beyond the row.
func (t *Table) ScanRow(row *Place, end []byte) Iterator {
	if t.rows == nil || t.owner.closed != nil {
		return t.Scan(row.rowKey(), end)
	}
	t.owner.settleEnded()
	var found, gone []address
	size := 0
	for at := range t.rows.each(t.arena.memory, row) {
		if b := t.arena.memory.at(at); b.deleted() && b.generation() <= t.clean {
			gone = append(gone, at) // Below has no such entry either
			continue
		}
		found = append(found, at)
		size += len(t.arena.memory.view(at))
	}
	for _, at := range gone { // the next scan need not pass them
		t.remove(at, t.arena.memory.at(at))
	}
	s := t.newScan()
	upper := make(listed, len(found))
	if size <= copiedScan {
		copies := make([]byte, 0, size)
		for i, at := range found {
			before := len(copies)
			copies = append(copies, t.arena.memory.view(at)...)
			upper[i] = block(copies[before:])
		}
	} else {
		for i, at := range found {
			upper[i] = t.arena.memory.view(at)
		}
		s.hold()
	}
	slices.SortFunc(upper, func(a, b block) int { return bytes.Compare(a.key(), b.key()) })
	s.upper = &upper
	if !t.whole {
		s.readBelow(row.rowKey(), end)
	}
	s.block = s.upper.step()
	return s
}

// copiedScan is up to how many bytes the scan of a row copies the table's entries.
// A larger one keeps the table from changing them.
const copiedScan = 64 << 10

// listed are blocks in order.
type listed []block

func (l *listed) step() block {
	if len(*l) == 0 {
		return nil
	}
	b := (*l)[0]
	*l = (*l)[1:]
	return b
}

// scan implements Iterator: it merges the entries of a table with those of Below.
type scan struct {
	table  *Table // nil: closed
	form   *Form
	folder folder
	upper  interface{ step() block }
	block  block // of upper, not passed yet; nil: none
	holds  bool  // blocks of the table

	base       Iterator // nil: the table has all entries
	baseMore   bool     // base is at an entry
	settled    bool     // no flush was in flight when base began
	clean      uint64   // the table's, then
	fromBase   bool     // the current entry is base's
	key, value []byte
	scratch    []byte // for values that are encoded
	err        error
}

func (t *Table) newScan() *scan {
	s := &scan{table: t, form: t.form, folder: folder{fold: t.folder.fold, form: t.form}}
	t.owner.scans[s] = struct{}{}
	return s
}

func (s *scan) readBelow(start, end []byte) {
	s.settled, s.clean = len(s.table.flushes) == 0, s.table.clean
	s.base = s.table.below.Scan(start, end)
	s.baseMore = s.base.Next()
}

// hold keeps every block of the table as it is while the scan is open.
func (s *scan) hold() {
	s.holds = true
	s.table.endGeneration()
	s.table.scans++
}

// Next implements Iterator.
func (s *scan) Next() bool {
	if s.fromBase {
		s.fromBase = false
		s.baseMore = s.base.Next()
	}
	s.key, s.value = nil, nil
	for s.Err() == nil {
		order := -1 // of the upper entry before base's
		switch {
		case s.block == nil && !s.baseMore:
			return false
		case s.block == nil:
			order = 1
		case s.baseMore:
			order = bytes.Compare(s.block.key(), s.base.Key())
		}
		if order > 0 {
			s.key, s.value, s.fromBase = s.base.Key(), s.base.Value(), true
			return true
		}
		b := s.block
		s.block = s.upper.step()
		if !b.deleted() {
			s.take(b, order == 0)
		}
		if order == 0 { // the upper entry is newer
			s.baseMore = s.base.Next()
		} else if s.base != nil {
			s.onlyAbove(b)
		}
		if !b.deleted() {
			return s.err == nil
		}
	}
	return false
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
	t := s.table
	if t == nil {
		s.err = reason
		return nil
	}
	if s.holds {
		t.endScan()
	}
	if s.base != nil {
		err = s.base.Close()
	}
	delete(t.owner.scans, s)
	*s = scan{err: reason}
	return err
}

// endScan lets the table change what a scan held.
func (t *Table) endScan() {
	if t.scans--; t.scans == 0 {
		held := t.held
		t.held = nil
		t.discard(held)
	}
}
