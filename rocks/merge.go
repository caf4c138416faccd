package rocks

import (
	"bytes"

	"github.com/tidemark/tidemark/engine/state"
)

// scanAll returns all entries of the column, without writing any.
func (c *column) scanAll() state.Iterator {
	m := &merged{db: c.db, form: c.table.form, folder: folder{fold: c.table.folder.fold, form: c.table.form}}
	var upper entries
	if c.table.whole {
		upper = c.table.all()
	} else {
		c.db.settleAll()
		upper = c.table.unwritten()
		m.base = c.scanBase(nil, nil)
		m.baseMore = m.base.Next()
	}
	m.hold(&c.table)
	m.upper = upper.sort()
	m.start()
	return m
}

// merged implements state.Iterator: entries of a table above those of RocksDB.
type merged struct {
	db     *DB
	table  *table // kept from changing; nil: it need not be
	form   *state.CellForm
	folder folder
	upper  interface{ step() (block, bool) }
	block  block // of upper, not passed yet; nil: none

	base       *iterator // nil: RocksDB has nothing else
	baseMore   bool
	fromBase   bool // the current entry is the base's
	key, value []byte
	room       []byte // for values that are encoded
	err        error
	freed      bool
}

// hold keeps what the table has now from changing while the scan lasts.
func (m *merged) hold(t *table) {
	t.beginScan()
	m.table = t
}

// start goes before the first entry.
func (m *merged) start() {
	m.db.iterators[m] = struct{}{}
	m.step()
}

func (m *merged) step() { m.block, _ = m.upper.step() }

// Next implements state.Iterator.
func (m *merged) Next() bool {
	if m.fromBase {
		m.fromBase = false
		m.baseMore = m.base.Next()
	}
	m.key, m.value = nil, nil
	for m.Err() == nil {
		order := -1 // of the upper entry before the base's
		switch {
		case m.block == nil && !m.baseMore:
			return false
		case m.block == nil:
			order = 1
		case m.baseMore:
			order = bytes.Compare(m.block.key(), m.base.Key())
		}
		if order > 0 {
			m.key, m.value, m.fromBase = m.base.Key(), m.base.Value(), true
			return true
		}
		b := m.block
		m.step()
		if !b.deleted() {
			m.take(b, order == 0)
		}
		if order == 0 { // the upper entry is newer
			m.baseMore = m.base.Next()
		}
		if !b.deleted() {
			return m.err == nil
		}
	}
	return false
}

// take makes an entry of the table the current one. based: the base has the key.
func (m *merged) take(b block, based bool) {
	m.key, m.value = b.key(), b.value()
	switch {
	case b.operand():
		var older []byte
		if based {
			older = m.base.Value()
		}
		m.room, m.err = m.folder.stored(m.room[:0], older, m.value)
		m.value = m.room
	case m.form != nil:
		m.room, m.err = m.form.Encode(m.room[:0], m.value)
		m.value = m.room
	}
}

// Key implements state.Iterator.
func (m *merged) Key() []byte { return m.key }

// Value implements state.Iterator.
func (m *merged) Value() []byte { return m.value }

// Err implements state.Iterator.
func (m *merged) Err() error {
	if m.err == nil && m.base != nil {
		return m.base.err
	}
	return m.err
}

// Close implements state.Iterator. Closing again does nothing.
func (m *merged) Close() error {
	m.free()
	m.err, m.base = nil, nil
	return nil
}

func (m *merged) free() {
	if m.freed {
		return
	}
	m.freed = true
	if m.table != nil {
		m.table.endScan()
	}
	if m.base != nil {
		m.base.free()
	}
	delete(m.db.iterators, m)
	m.table, m.key, m.value, m.block, m.fromBase, m.baseMore = nil, nil, nil, nil, false, false
	m.err = m.db.closedError("scan")
}
