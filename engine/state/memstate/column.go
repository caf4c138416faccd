package memstate

import (
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// column is a state.Column.
type column struct {
	backend    *backend
	descriptor state.Descriptor
	tree       *tree
}

// Get implements state.Column.
func (c *column) Get(dst, key []byte) ([]byte, bool, error) {
	if c.backend.closed {
		return dst, false, errClosed
	}
	value, found := c.tree.get(key)
	return append(dst, value...), found, nil
}

// Put implements state.Column. It refuses a key of a group that the subtask
// does not own: another subtask has it, or would not find it after a restore.
func (c *column) Put(key, value []byte) error {
	if c.backend.closed {
		return errClosed
	}
	if len(key) < keygroup.PrefixBytes {
		return fmt.Errorf("memstate: put into %q: key %x has no key group", c.descriptor.Name, key)
	}
	if g := keygroup.FromPrefix(key); !c.backend.groups.Contains(g) {
		return fmt.Errorf("memstate: put into %q: key %x is of group %d, and the subtask owns %v", c.descriptor.Name, key, g, c.backend.groups)
	}
	c.tree.put(key, slices.Clone(value))
	return nil
}

// Delete implements state.Column.
func (c *column) Delete(key []byte) error {
	if c.backend.closed {
		return errClosed
	}
	c.tree.delete(key)
	return nil
}

// Scan implements state.Column.
func (c *column) Scan(start, end []byte) state.Iterator {
	if c.backend.closed {
		return &iterator{err: errClosed}
	}
	return &iterator{cursor: c.tree.snapshot().scan(start, slices.Clone(end))}
}

// iterator is a state.Iterator.
type iterator struct {
	cursor     *cursor // nil: closed
	key, value []byte
	err        error
}

func (it *iterator) Next() bool {
	if it.cursor == nil || !it.cursor.next() {
		it.key, it.value = nil, nil
		return false
	}
	it.key, it.value = it.cursor.entry()
	return true
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }
func (it *iterator) Err() error    { return it.err }

func (it *iterator) Close() error {
	it.cursor, it.key, it.value = nil, nil, nil
	return nil
}
