package table

import (
	"errors"
	"slices"
)

// held is a flush that is not written, so that a scan can read its entries where they
// are: no block of a flush in flight changes. It is written if its memory is needed, or
// if another flush begins; then Below has its entries, and the scan goes on there. Else
// its entries are dirty again when the scan ends.
//
// While flushes are held no other is in flight. So when one is written, Below has exactly
// what the scan is to see.
type held struct {
	flush *Flush
	order *sorted
	next  block // of order, not passed yet; nil: there is none
	// The scan's current entry, which stays when its block or base goes.
	key, value []byte
}

// hold holds a flush of all that is dirty. False: to sort that takes too much of the
// budget, or rows are deleted, which takes writing.
func (s *scan) hold() bool {
	t := s.table
	ts := t.owner
	most := t.share.budget.limit / scanPart
	if addressBytes*int64(t.blocksOf(t.dirty).count()) > most {
		return false
	}
	if len(t.flushes) > 0 || !ts.holds() {
		ts.SettleAll()
		if s.restart(nil); len(t.dirty) == 0 {
			return true // Below has everything by now
		}
	}
	f := ts.beginSpillOf(t, len(t.dirty))
	e := f.entries[0]
	if e.DeletesRows() {
		return false
	}
	order := e.blocks.sort()
	if int64(order.bytes()) > most {
		return false
	}
	s.held, s.bytes, f.holder = &held{flush: f, order: order, next: order.step()}, order.bytes(), s
	return true
}

// restart makes base an iterator of Below from a key on.
func (s *scan) restart(from []byte) {
	err := s.base.Close()
	s.base, s.baseMore, s.baseBegun, s.fromBase = s.table.below.Scan(from, nil, true), false, false, false
	s.err = errors.Join(s.err, err)
}

// keep copies the current entry if a flush is held.
func (s *scan) keep() {
	if h := s.held; h != nil {
		h.key, h.value = append(h.key[:0], s.key...), append(h.value[:0], s.value...)
		s.key, s.value = h.key, h.value
	}
}

// written goes on behind the current entry in Below, which has the held flush now, or
// fails with the flush.
func (s *scan) written(err error) {
	begun := s.baseBegun
	s.held, s.bytes, s.err = nil, 0, errors.Join(s.err, err)
	switch {
	case s.key != nil:
		s.restart(append(slices.Clone(s.key), 0))
	case !begun:
		s.restart(nil)
	}
}

// letGo makes what is held dirty again.
func (s *scan) letGo() {
	if s.held == nil {
		return
	}
	f, ts := s.held.flush, s.table.owner
	f.abandon()
	f.entries, f.left = nil, nil // the next flush must not write them
	ts.flushes = slices.DeleteFunc(ts.flushes, func(o *Flush) bool { return o == f })
	for _, t := range f.tables {
		t.revert()
	}
	s.held = nil
}

// holds reports whether all flushes in flight are held.
func (ts *Tables) holds() bool {
	return !slices.ContainsFunc(ts.flushes, func(f *Flush) bool { return f.holder == nil })
}

// endHolds writes the flushes that are held.
func (ts *Tables) endHolds() {
	if len(ts.flushes) > 0 && ts.holds() {
		ts.SettleAll()
	}
}
