package table

import (
	"bytes"
	"slices"
)

// smallEntries and smallBytes are how much Below has of a small row, at most. To remember
// it costs little beside the read.
const (
	smallEntries = 64
	smallBytes   = 16 << 10
)

type entry struct{ key, value []byte }

// begun is an Iterator whose first entries have been read.
type begun struct {
	Iterator         // of the rest
	entries  []entry // the first ones
	all      bool    // there are no others
	next     int     // in entries
}

// begin reads the first entries of an iterator.
func begin(it Iterator) *begun {
	r := &begun{Iterator: it}
	for size := 0; len(r.entries) < smallEntries && size < smallBytes; {
		if !it.Next() {
			r.all = it.Err() == nil
			break
		}
		k := len(it.Key())
		b := append(append(make([]byte, 0, k+len(it.Value())), it.Key()...), it.Value()...)
		r.entries = append(r.entries, entry{b[:k:k], b[k:]})
		size += len(b)
	}
	return r
}

// Next implements Iterator.
func (r *begun) Next() bool {
	if r.next++; r.next <= len(r.entries) {
		return true
	}
	return !r.all && r.Iterator.Next()
}

// Seek implements Iterator.
func (r *begun) Seek(key []byte) bool {
	for r.next < len(r.entries) {
		if r.next++; bytes.Compare(r.entries[r.next-1].key, key) >= 0 {
			return true
		}
	}
	r.next = len(r.entries) + 1
	return !r.all && r.Iterator.Seek(key)
}

// Key implements Iterator.
func (r *begun) Key() []byte {
	if r.next <= len(r.entries) {
		return r.entries[r.next-1].key
	}
	return r.Iterator.Key()
}

// Value implements Iterator.
func (r *begun) Value() []byte {
	if r.next <= len(r.entries) {
		return r.entries[r.next-1].value
	}
	return r.Iterator.Value()
}

// rememberRow reads the beginning of the row that s is a scan of, and remembers the row
// if it is small.
func (s *scan) rememberRow(row *Place, in func(key []byte) Place) {
	if s.base == nil {
		return
	}
	base := begin(s.base)
	s.base = base
	if !base.all {
		return
	}
	for _, b := range s.upper { // who deletes these leaves nothing
		_, below := slices.BinarySearchFunc(base.entries, b.key(), func(e entry, key []byte) int { return bytes.Compare(e.key, key) })
		if !below {
			s.onlyAbove(b)
			b[20] |= flagNew // so that Next need not
		}
	}
	s.table.keepRow(row, base.entries, in)
}

// keepRow remembers a row, all of which Below has just given, and marks it complete. It
// sets the mark early, since to evict one of the entries takes it away again.
func (t *Table) keepRow(row *Place, below []entry, in func(key []byte) Place) {
	var lacks []entry // all of them now: a tombstone may be evicted before its key comes up
	for _, e := range below {
		p := in(e.key)
		if _, b := t.index.find(t.arena.memory, p.hash(), e.key, false); b == nil {
			lacks = append(lacks, e)
		}
	}
	marked := t.rows.mark(t.arena.memory, row, complete)
	for _, e := range lacks {
		p, value := in(e.key), e.value
		if t.form != nil {
			var err error
			if t.scratch, err = t.form.Decode(t.scratch[:0], value); err != nil {
				t.rows.mark(t.arena.memory, row, noAddress) // who reads the entry gets the error
				return
			}
			value = t.scratch
		}
		if !t.remember(&p, value) {
			t.rows.mark(t.arena.memory, row, noAddress)
			return
		}
		if !marked {
			marked = t.rows.mark(t.arena.memory, row, complete)
		}
	}
	if !marked {
		t.rememberEmpty(row)
	}
}
