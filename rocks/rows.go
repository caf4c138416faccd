package rocks

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/tidemark/tidemark/engine/state"
)

// rows finds the entries of a row: the blocks of a row are a list, one of which
// an index knows. The links lie at the end of each block, where nobody else
// looks:
//
//	previous (4) next (4) hash of the row (4)
type rows struct{ index index }

const linkBytes = 12

func links(b block) []byte               { return b[len(b)-linkBytes:] }
func previousOf(b block) address         { return address(binary.NativeEndian.Uint32(links(b))) }
func nextOf(b block) address             { return address(binary.NativeEndian.Uint32(links(b)[4:])) }
func rowHashOf(b block) uint32           { return binary.NativeEndian.Uint32(links(b)[8:]) }
func setPrevious(b block, a address)     { binary.NativeEndian.PutUint32(links(b), uint32(a)) }
func setNext(b block, a address)         { binary.NativeEndian.PutUint32(links(b)[4:], uint32(a)) }
func setRowHash(b block, rowHash uint32) { binary.NativeEndian.PutUint32(links(b)[8:], rowHash) }
func (p place) rowKey() []byte           { return p.key[:p.row] }

// add puts a new block behind the first of its row.
func (r *rows) add(m memory, p place, at address, b block) {
	setRowHash(b, p.rowHash)
	first, fb := r.index.find(m, p.rowHash, p.rowKey(), true)
	if first == noAddress {
		setPrevious(b, noAddress)
		setNext(b, noAddress)
		r.index.add(p.rowHash, at)
		return
	}
	next := nextOf(fb)
	setPrevious(b, first)
	setNext(b, next)
	setNext(fb, at)
	if next != noAddress {
		setPrevious(m.at(next), at)
	}
}

// replace has a block take the place of another.
func (r *rows) replace(m memory, from address, fb block, to address, tb block) {
	copy(links(tb), links(fb))
	if next := nextOf(fb); next != noAddress {
		setPrevious(m.at(next), to)
	}
	if previous := previousOf(fb); previous != noAddress {
		setNext(m.at(previous), to)
		return
	}
	r.index.replace(rowHashOf(fb), from, to)
}

// remove takes a block out of its row.
func (r *rows) remove(m memory, at address, b block) {
	previous, next := previousOf(b), nextOf(b)
	if next != noAddress {
		setPrevious(m.at(next), previous)
	}
	switch {
	case previous != noAddress:
		setNext(m.at(previous), next)
	case next != noAddress:
		r.index.replace(rowHashOf(b), at, next)
	default:
		r.index.remove(rowHashOf(b), at)
	}
}

// each yields the blocks of a row, in no order.
func (r *rows) each(m memory, p place) func(yield func(address) bool) {
	return func(yield func(address) bool) {
		at, b := r.index.find(m, p.rowHash, p.rowKey(), true)
		for at != noAddress && yield(at) {
			if at = nextOf(b); at != noAddress {
				b = m.at(at)
			}
		}
	}
}

// byPlace is a column whose user names entries by places.
type byPlace struct {
	c     *column
	cells bool // and gives and takes values in the form of the table
}

var (
	_ state.RowColumn  = (*column)(nil)
	_ state.CellColumn = (*column)(nil)
)

// Rows implements state.RowColumn.
func (c *column) Rows(grouped bool) (state.Rows, error) {
	if err := c.empty(); err != nil {
		return nil, err
	}
	c.placed = true
	if grouped {
		c.table.rows = &rows{}
	}
	return byPlace{c, false}, nil
}

// Cells implements state.CellColumn.
func (c *column) Cells(f state.CellForm) (state.Rows, bool) {
	if c.table.form != nil || c.table.index.entries > 0 {
		return nil, false
	}
	c.table.form = &f
	return byPlace{c, true}, true
}

func placeOf(at state.Place) place {
	return place{at.Key, at.Row, uint32(at.Hash >> 32), uint32(at.RowHash >> 32)}
}

// Get implements state.Rows.
func (r byPlace) Get(dst []byte, at state.Place) ([]byte, bool, error) {
	if r.cells {
		return r.c.get(dst, placeOf(at))
	}
	return r.c.getStored(dst, placeOf(at))
}

// Put implements state.Rows.
func (r byPlace) Put(at state.Place, value []byte) error {
	if r.cells {
		return r.c.set("put", placeOf(at), value, 0)
	}
	return r.c.putStored(placeOf(at), value)
}

// Delete implements state.Rows.
func (r byPlace) Delete(at state.Place) error {
	return r.c.set("delete", placeOf(at), nil, flagDeleted)
}

// Scan implements state.Rows: it merges what the table has of a row with what
// RocksDB has.
func (r byPlace) Scan(row state.Place) state.Iterator {
	c, p := r.c, placeOf(row)
	if c.db.closed {
		return &iterator{err: c.db.closedError("scan")}
	}
	if c.table.rows == nil {
		return c.Scan(row.Range())
	}
	t := &c.table
	var found []address
	size := 0
	for at := range t.rows.each(t.arena.memory, p) {
		found = append(found, at)
		size += len(t.arena.memory.view(at))
	}
	m := &merged{db: c.db, form: t.form}
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
		m.hold(t)
	}
	slices.SortFunc(upper, func(a, b block) int { return bytes.Compare(a.key(), b.key()) })
	m.upper = &upper
	if !t.whole {
		m.base = c.scanBase(row.Range())
		m.baseMore = m.base.Next()
	}
	m.start()
	return m
}

// copiedScan is up to how many bytes a scan copies what the table has. Beyond,
// it keeps the table from changing them.
const copiedScan = 64 << 10

// listed are blocks in order.
type listed []block

func (l *listed) step() (block, bool) {
	if len(*l) == 0 {
		return nil, false
	}
	b := (*l)[0]
	*l = (*l)[1:]
	return b, true
}
