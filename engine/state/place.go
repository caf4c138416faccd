package state

import (
	"errors"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// Place says where in a column an entry is. A row is the entries of one key and
// namespace: a value, a list or a map.
type Place struct {
	Key []byte // the column key
	Row int    // length of the row's part of Key
	// Hash and RowHash are hashes of Key and of Key[:Row], the same whenever the
	// entry is accessed in this process.
	Hash, RowHash uint64
}

// In returns the place of the same row that has key.
func (p Place) In(key []byte) Place {
	p.Key, p.Hash = key, p.RowHash
	if len(key) > p.Row {
		p.Hash = combine(p.RowHash, seededHash(key[p.Row:]))
	}
	return p
}

var seed = rand.Uint64()

// seededHash differs in each process, so nobody can choose map keys and namespaces that
// have one hash.
func seededHash(b []byte) uint64 { return xxh3.HashSeed(b, seed) }

// Range returns the bounds of the row's keys: start ≤ key < end; a nil end is
// that of the column.
func (p *Place) Range() (start, end []byte) {
	row := p.Key[:p.Row]
	return row, PrefixEnd(row)
}

// RowColumn is a Column that can be accessed by places: with the hash of a key, and the
// row that it belongs to.
type RowColumn interface {
	Column
	// Rows opens the column for access by places, once. From then on, of Column's own
	// methods only Scan may be called.
	Rows(a Access) (Rows, error)
}

// Access says how a column is used by places.
type Access struct {
	Grouped bool      // rows may have several entries
	Form    *CellForm // values are cells; nil: they have their stored form
	Fold    Fold      // merges operands into values; nil: PutOperand is not used. Not with Grouped
}

// Rows is access to a column by places. Methods neither change nor keep their
// arguments.
type Rows interface {
	// Get, Put and Delete are as Column's.
	Get(dst []byte, at *Place) (value []byte, found bool, err error)
	Put(at *Place, value []byte) error
	Delete(at *Place) error
	// Scan returns the entries of a row, values as they are stored, as Column.Scan.
	Scan(row *Place) Iterator
	// DeleteRow deletes all entries of a row. It needs Access.Grouped.
	DeleteRow(row *Place) error
	// Find is Get, but avoids to read from what lies below where it can. It may return
	// an operand. It needs Access.Fold.
	Find(dst []byte, at *Place) (value []byte, known Known, err error)
	// PutOperand puts an operand. It must follow a Find of the same place that returned
	// KnownNothing, or KnownOperand with an operand that this one includes and whose
	// beginning it has. False: memory had to be freed, which may have changed what Find
	// returned. Nothing was put; call Find again.
	PutOperand(at *Place, operand []byte) (done bool, err error)
}

// Known says what Find knows of a place.
type Known uint8

// What may be known: nothing, that there is no value, the value, or an operand
// that is yet to be merged into whatever there is.
const (
	KnownNothing Known = iota
	KnownAbsent
	KnownValue
	KnownOperand
)

// plain is Rows of a column that knows keys only. It takes no operands.
type plain struct{ c Column }

func (p plain) Get(dst []byte, at *Place) ([]byte, bool, error) { return p.c.Get(dst, at.Key) }

func (p plain) Put(at *Place, value []byte) error { return p.c.Put(at.Key, value) }

func (p plain) Delete(at *Place) error { return p.c.Delete(at.Key) }

func (p plain) Scan(row *Place) Iterator { return p.c.Scan(row.Range()) }

func (p plain) DeleteRow(row *Place) (err error) {
	it := p.Scan(row)
	for err == nil && it.Next() {
		err = p.c.Delete(it.Key())
	}
	return errors.Join(err, it.Err(), it.Close())
}

func (p plain) Find(dst []byte, at *Place) ([]byte, Known, error) {
	return asKnown(p.Get(dst, at))
}

func (p plain) PutOperand(*Place, []byte) (bool, error) {
	return false, errors.New("a column without rows takes no operands")
}
