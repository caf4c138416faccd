package state

import "github.com/zeebo/xxh3"

// Place says where in a column an entry is, with what its user knows of it. A
// row is the entries of one key and namespace: a value, a list or a map.
type Place struct {
	Key []byte // the column key
	Row int    // so much of Key is that of its row
	// Hash and RowHash are hashes of Key and of Key[:Row], the same whenever the
	// entry is accessed in this process.
	Hash, RowHash uint64
}

// in returns the place of the same row that has key.
func (p Place) in(key []byte) Place {
	p.Key, p.Hash = key, p.RowHash
	if len(key) > p.Row {
		p.Hash = combine(p.RowHash, xxh3.Hash(key[p.Row:]))
	}
	return p
}

// Range returns the bounds of the row's keys: start ≤ key < end; a nil end is
// that of the column.
func (p Place) Range() (start, end []byte) {
	row := p.Key[:p.Row]
	return row, prefixEnd(row)
}

// Rows is access to a column by places. No method retains what it is given.
type Rows interface {
	// Get, Put and Delete are as Column's.
	Get(dst []byte, at Place) (value []byte, found bool, err error)
	Put(at Place, value []byte) error
	Delete(at Place) error
	// Scan returns the entries of a row, as Column.Scan.
	Scan(row Place) Iterator
}

// RowColumn is a Column that makes use of what its user knows of a place.
type RowColumn interface {
	Column
	// Rows returns the column as it is to be used from now on, but for
	// Column.Scan. grouped: rows may have several entries.
	Rows(grouped bool) (Rows, error)
}

// rowsOf returns access to any column.
func rowsOf(c Column, grouped bool) (Rows, error) {
	if rc, ok := c.(RowColumn); ok {
		return rc.Rows(grouped)
	}
	return plain{c}, nil
}

// plain is Rows of a column that knows keys only.
type plain struct{ c Column }

func (p plain) Get(dst []byte, at Place) ([]byte, bool, error) { return p.c.Get(dst, at.Key) }

func (p plain) Put(at Place, value []byte) error { return p.c.Put(at.Key, value) }

func (p plain) Delete(at Place) error { return p.c.Delete(at.Key) }

func (p plain) Scan(row Place) Iterator { return p.c.Scan(row.Range()) }
