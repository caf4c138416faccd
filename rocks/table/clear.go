package table

import (
	"bytes"
	"errors"
)

// A head is a block that is no entry: it says something of its row, and is the first
// block of it. It has the row's key, and for value the least key beyond the row. A dirty
// head says that a flush has to delete what Below has of the row; entries that were put
// later stay. A clean one makes it known that a row is complete which has no entries.
// The index does not have heads.

// DeleteRow deletes all entries of a row of a Grouped table. end and in are as for
// ScanRow. It takes a time that depends on what is in memory of the row: what else Below
// has of it is deleted by the next flush, a piece at a time. If it fails, a part of the
// entries may be deleted.
func (t *Table) DeleteRow(row *Place, end []byte, in func(key []byte) Place) error {
	if t.owner.closed != nil {
		return t.owner.closed
	}
	t.owner.settleEnded()
	if !t.knows(row) {
		s := t.newScan()
		_ = s.copy(t.entriesOf(row, true, s.read(row.rowKey(), end, false))) // if it fits
		s.rememberRow(row, in)
		if err := errors.Join(s.Err(), s.Close()); err != nil {
			return err
		}
	}
	var written [][]byte // keys that Below has, or gets
	for _, b := range t.rows.each(t.arena.memory, row) {
		if len(written) > smallEntries {
			break
		}
		if !b.head() && t.newBelow(b) == 0 {
			written = append(written, bytes.Clone(b.key()))
		}
	}
	if len(written) > smallEntries || !t.knows(row) {
		return t.putHead(row, end)
	}
	for at, b := range t.rows.each(t.arena.memory, row) {
		if !b.head() && t.newBelow(b) != 0 {
			t.remove(at, b)
		}
	}
	for _, key := range written {
		p := in(key)
		if err := t.Delete(&p); err != nil {
			return err
		}
	}
	return nil
}

// putHead replaces a row by a dirty head.
func (t *Table) putHead(row *Place, end []byte) error {
	at, b := t.newHead(row, end)
	for at == noAddress {
		if err := t.owner.waitForSpace(t, t.headSize(row, end)); err != nil {
			return err
		}
		at, b = t.newHead(row, end)
	}
	for old, ob := range t.rows.each(t.arena.memory, row) {
		t.remove(old, ob)
	}
	t.rows.add(t.arena.memory, row, at, b, true)
	b.setGeneration(t.ended + 1)
	t.markDirty(at, b)
	b.clearRecent()
	return nil
}

// rememberEmpty adds a clean head for a row of which neither Below nor the table has
// anything, if there is memory for it.
func (t *Table) rememberEmpty(row *Place) {
	at, b := t.newHead(row, nil)
	for at == noAddress {
		if !t.owner.reclaim(t, t.headSize(row, nil)) {
			return
		}
		at, b = t.newHead(row, nil)
	}
	t.rows.add(t.arena.memory, row, at, b, true)
}

func (t *Table) headSize(row *Place, end []byte) int {
	return headerBytes + row.Row + len(end) + linkBytes
}

// newHead returns a new head; noAddress: there is no memory for it.
func (t *Table) newHead(row *Place, end []byte) (address, block) {
	t.collect(collected)
	at, b := t.arena.allocate(t.headSize(row, end))
	if at != noAddress {
		b.begin(0, row.rowKey())
		b.setValue(end, flagDeleted|flagHead)
	}
	return at, b
}

// deleteRow passes on the deletion of what Below has of a head's row, and the row's
// entries, which were put later. It returns the block that comes behind them.
func (e *Entries) deleteRow(head block, order *sorted, out *encoder) (next block, err error) {
	end := head.value()
	if len(end) == 0 {
		end = nil
	}
	old := e.below.Scan(head.key(), end, true)
	defer func() { err = errors.Join(err, old.Err(), old.Close()) }()
	more := old.Next()
	for {
		b := order.step()
		within := b != nil && bytes.HasPrefix(b.key(), head.key())
		for ; more && (!within || bytes.Compare(old.Key(), b.key()) < 0); more = old.Next() {
			if err := out.to(old.Key(), nil, true); err != nil {
				return nil, err
			}
		}
		if !within {
			return b, nil
		}
		if err := out.add(b, nil); err != nil {
			return nil, err
		}
		if more && bytes.Equal(old.Key(), b.key()) {
			more = old.Next()
		}
	}
}
