package memstate

import (
	"fmt"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks/column"
)

// owned is a column that refuses to put keys of groups that the subtask does not own:
// another subtask has them, or would not find them after a restore.
type owned struct {
	*column.Column
	name   string
	groups keygroup.Range
}

func (c owned) check(key []byte) error {
	if len(key) < keygroup.PrefixBytes {
		return fmt.Errorf("memstate: put into %q: key %x has no key group", c.name, key)
	}
	if g := keygroup.FromPrefix(key); !c.groups.Contains(g) {
		return fmt.Errorf("memstate: put into %q: key %x is of group %d, and the subtask owns %v", c.name, key, g, c.groups)
	}
	return nil
}

// Put implements state.Column.
func (c owned) Put(key, value []byte) error {
	if err := c.check(key); err != nil {
		return err
	}
	return c.Column.Put(key, value)
}

// Rows implements state.RowColumn.
func (c owned) Rows(a state.Access) (state.Rows, error) {
	rows, err := c.Column.Rows(a)
	return ownedRows{rows, c}, err
}

// ownedRows are the rows of an owned column.
type ownedRows struct {
	state.Rows
	column owned
}

// Put implements state.Rows.
func (r ownedRows) Put(at *state.Place, value []byte) error {
	if err := r.column.check(at.Key); err != nil {
		return err
	}
	return r.Rows.Put(at, value)
}

// PutOperand implements state.Rows.
func (r ownedRows) PutOperand(at *state.Place, operand []byte) (done bool, err error) {
	if err := r.column.check(at.Key); err != nil {
		return false, err
	}
	return r.Rows.PutOperand(at, operand)
}
