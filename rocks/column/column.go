package column

import (
	"fmt"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks/table"
)

// Column is the column of a state: a table above a table.Below. It belongs to the
// goroutine of its tables.
type Column struct {
	name     string
	tables   *table.Tables
	below    table.Below
	table    *table.Table // nil: not used yet
	byPlaces bool         // Rows was called
	expected []table.Place
}

var (
	_ state.RowColumn       = (*Column)(nil)
	_ state.ExpectingColumn = (*Column)(nil)
)

// New returns the column of the state with that name.
func New(name string, tables *table.Tables, below table.Below) *Column {
	return &Column{name: name, tables: tables, below: below}
}

// Used reports whether the column was accessed.
func (c *Column) Used() bool { return c.table != nil }

// byKeys returns the table for access by keys.
func (c *Column) byKeys() (_ *table.Table, err error) {
	if c.byPlaces {
		return nil, fmt.Errorf("column %q is used by places", c.name)
	}
	if c.table == nil {
		c.table, err = c.tables.Open(c.below, table.Options{})
	}
	return c.table, err
}

// Get implements state.Column.
func (c *Column) Get(dst, key []byte) ([]byte, bool, error) {
	t, err := c.byKeys()
	if err != nil {
		return dst, false, err
	}
	return t.Get(dst, table.PlaceOf(key))
}

// Put implements state.Column.
func (c *Column) Put(key, value []byte) error {
	t, err := c.byKeys()
	if err != nil {
		return err
	}
	return t.Put(table.PlaceOf(key), value)
}

// Delete implements state.Column.
func (c *Column) Delete(key []byte) error {
	t, err := c.byKeys()
	if err != nil {
		return err
	}
	return t.Delete(table.PlaceOf(key))
}

// Scan implements state.Column.
func (c *Column) Scan(start, end []byte) state.Iterator {
	if c.table == nil {
		if _, err := c.byKeys(); err != nil {
			return table.Failed(err)
		}
	}
	return c.table.Scan(start, end)
}

// Rows implements state.RowColumn.
func (c *Column) Rows(a state.Access) (state.Rows, error) {
	if c.byPlaces {
		return nil, fmt.Errorf("column %q is open already", c.name)
	}
	if c.table != nil {
		if err := c.tables.Drop(c.table); err != nil {
			return nil, fmt.Errorf("open column %q: %w", c.name, err)
		}
		c.table = nil
	}
	t, err := c.tables.Open(c.below, table.Options{
		Grouped: a.Grouped, Form: (*table.Form)(a.Form), Fold: table.Fold(a.Fold), Since: state.OperandSince,
	})
	if err != nil {
		return nil, err
	}
	c.table, c.byPlaces = t, true
	return rows{t}, nil
}

// Spill writes the column's dirty entries to what lies below.
func (c *Column) Spill() error {
	if c.table == nil {
		return nil
	}
	return c.tables.Spill(c.table)
}

// Expects implements state.ExpectingColumn.
func (c *Column) Expects() bool { return c.byPlaces && c.table.Expects() }

// Expect implements state.ExpectingColumn.
func (c *Column) Expect(places []state.Place) error {
	c.expected = c.expected[:0]
	for _, p := range places {
		c.expected = append(c.expected, table.Place(p))
	}
	return c.table.Expect(c.expected)
}

// rows implements state.Rows.
type rows struct{ table *table.Table }

func (r rows) Get(dst []byte, at *state.Place) ([]byte, bool, error) {
	return r.table.Get(dst, (*table.Place)(at))
}

func (r rows) Put(at *state.Place, value []byte) error { return r.table.Put((*table.Place)(at), value) }

func (r rows) Delete(at *state.Place) error { return r.table.Delete((*table.Place)(at)) }

func (r rows) Scan(row *state.Place) state.Iterator {
	_, end := row.Range()
	return r.table.ScanRow((*table.Place)(row), end, in(row))
}

func (r rows) DeleteRow(row *state.Place) error {
	_, end := row.Range()
	return r.table.DeleteRow((*table.Place)(row), end, in(row))
}

func in(row *state.Place) func(key []byte) table.Place {
	return func(key []byte) table.Place { return table.Place(row.In(key)) }
}

func (r rows) Find(dst []byte, at *state.Place) ([]byte, state.Known, error) {
	value, known, err := r.table.Find(dst, (*table.Place)(at))
	return value, state.Known(known), err
}

func (r rows) PutOperand(at *state.Place, operand []byte) (done bool, err error) {
	return r.table.PutOperand((*table.Place)(at), operand)
}
