package rocks

import (
	"bytes"

	"github.com/tidemark/tidemark/engine/state"
)

// scanAll returns all entries of the column, without writing any.
func (c *column) scanAll() state.Iterator {
	m := &merged{db: c.db, table: &c.table}
	var upper entries
	if c.table.whole {
		upper = c.table.all()
	} else {
		c.db.settleAll()
		upper = c.table.unwritten()
		m.base = c.scanBase(nil, nil)
		m.baseMore = m.base.Next()
	}
	c.table.beginScan()
	c.db.iterators[m] = struct{}{}
	m.upper = upper.sort()
	m.step()
	return m
}

// merged implements state.Iterator: entries of a table above those of
// RocksDB.
type merged struct {
	db         *DB
	table      *table // nil once freed
	upper      *sorted
	block      block     // of upper, not passed yet; nil: none
	base       *iterator // nil: RocksDB has nothing else
	baseMore   bool
	fromBase   bool // the current entry is the base's
	key, value []byte
	room       []byte // for values that are encoded
	err        error
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
		if order == 0 { // the upper entry is newer
			m.baseMore = m.base.Next()
		}
		b := m.block
		m.step()
		if b.deleted() {
			continue
		}
		m.key = b.key()
		if m.upper.entries.form == nil {
			m.value = b.value()
			return true
		}
		m.room, m.err = m.upper.entries.appendStored(m.room[:0], b)
		m.value = m.room
		return m.err == nil
	}
	return false
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
	if m.table == nil {
		return
	}
	m.table.endScan()
	if m.base != nil {
		m.base.free()
	}
	delete(m.db.iterators, m)
	m.table, m.key, m.value, m.block, m.fromBase, m.baseMore = nil, nil, nil, nil, false, false
	m.err = m.db.closedError("scan")
}
