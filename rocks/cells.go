package rocks

import "github.com/tidemark/tidemark/engine/state"

var _ state.CellColumn = (*column)(nil)

// Cells implements state.CellColumn.
func (c *column) Cells(f state.CellForm) (state.Column, bool) {
	if c.table.form != nil || c.table.index.entries > 0 {
		return nil, false
	}
	c.table.form = &f
	return cells{c}, true
}

// cells is a column that gives and takes values in the form of its table.
type cells struct{ *column }

// Get implements state.Column.
func (c cells) Get(dst, key []byte) ([]byte, bool, error) { return c.get(dst, key) }

// Put implements state.Column.
func (c cells) Put(key, value []byte) error { return c.put(key, value) }
