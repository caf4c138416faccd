package rocks

import (
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks/table"
)

// column implements state.Column: a column family with a table above it.
type column struct {
	db       *DB
	name     string
	family   family
	table    *table.Table // nil: not used yet
	byPlaces bool         // Rows was called
	expected []table.Place
}

var _ state.ExpectingColumn = (*column)(nil)

// byKeys returns the table for access by keys alone, which hash otherwise than
// places do.
func (c *column) byKeys() (_ *table.Table, err error) {
	if c.byPlaces {
		return nil, &Error{Op: "use", Dir: c.db.dir, Message: "column " + c.name + " is used by places", Err: ErrUsage}
	}
	if c.table == nil {
		c.table, err = c.db.tables.Open(c.family, table.Options{})
	}
	return c.table, err
}

// Get implements state.Column.
func (c *column) Get(dst, key []byte) ([]byte, bool, error) {
	t, err := c.byKeys()
	if err != nil {
		return dst, false, err
	}
	return t.Get(dst, table.PlaceOf(key))
}

// Put implements state.Column.
func (c *column) Put(key, value []byte) error {
	t, err := c.byKeys()
	if err != nil {
		return err
	}
	return t.Put(table.PlaceOf(key), value)
}

// Delete implements state.Column.
func (c *column) Delete(key []byte) error {
	t, err := c.byKeys()
	if err != nil {
		return err
	}
	return t.Delete(table.PlaceOf(key))
}

// Scan implements state.Column.
func (c *column) Scan(start, end []byte) state.Iterator {
	if c.table == nil {
		if _, err := c.byKeys(); err != nil {
			return table.Failed(err)
		}
	}
	return c.table.Scan(start, end)
}

// Rows implements state.Column.
func (c *column) Rows(a state.Access) (state.Rows, error) {
	if c.byPlaces {
		return nil, &Error{Op: "open", Dir: c.db.dir, Message: "column " + c.name + " is open", Err: ErrUsage}
	}
	if c.table != nil {
		if err := c.db.tables.Drop(c.table); err != nil {
			return nil, err
		}
		c.table = nil
	}
	t, err := c.db.tables.Open(c.family, table.Options{
		Grouped: a.Grouped, Form: (*table.Form)(a.Form), Fold: table.Fold(a.Fold), Since: state.OperandSince,
	})
	if err != nil {
		return nil, err
	}
	c.table, c.byPlaces = t, true
	return rows{t}, nil
}

// Expects implements state.ExpectingColumn.
func (c *column) Expects() bool { return c.table != nil && c.table.Expects() }

// Expect implements state.ExpectingColumn.
func (c *column) Expect(places []state.Place) error {
	c.expected = c.expected[:0]
	for _, p := range places {
		c.expected = append(c.expected, table.Place(p))
	}
	return c.table.Expect(c.expected)
}

// rows implements state.Rows.
type rows struct{ table *table.Table }

func (r rows) Get(dst []byte, at state.Place) ([]byte, bool, error) {
	return r.table.Get(dst, table.Place(at))
}

func (r rows) Put(at state.Place, value []byte) error { return r.table.Put(table.Place(at), value) }

func (r rows) Delete(at state.Place) error { return r.table.Delete(table.Place(at)) }

func (r rows) Scan(row state.Place) state.Iterator {
	_, end := row.Range()
	return r.table.ScanRow(table.Place(row), end)
}

func (r rows) Find(dst []byte, at state.Place) ([]byte, state.Known, error) {
	value, known, err := r.table.Find(dst, table.Place(at))
	return value, state.Known(known), err
}

func (r rows) PutOperand(at state.Place, operand []byte) (done bool, err error) {
	return r.table.PutOperand(table.Place(at), operand)
}
