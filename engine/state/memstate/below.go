package memstate

import (
	"slices"
	"sync/atomic"

	"github.com/tidemark/tidemark/rocks/table"
)

// below is what the table of a column lies above: a tree, which a flush replaces by a
// changed copy. Any goroutine may read it.
type below struct{ tree atomic.Pointer[tree] }

var (
	_ table.Below  = (*below)(nil)
	_ table.Reader = (*below)(nil)
)

func newBelow(t *tree) *below {
	b := &below{}
	b.tree.Store(t)
	return b
}

// now returns the tree as it is. It never changes.
func (b *below) now() *tree { return b.tree.Load() }

// Get implements table.Below.
func (b *below) Get(dst, key []byte) ([]byte, bool, error) {
	value, found := b.now().get(key)
	return append(dst, value...), found, nil
}

// Reader implements table.Below.
func (b *below) Reader() table.Reader { return b }

// Read implements table.Reader.
func (b *below) Read(n int, key func(i int) []byte, found func(i int, stored []byte) error) error {
	for i := range n {
		value, _ := b.now().get(key(i))
		if err := found(i, value); err != nil {
			return err
		}
	}
	return nil
}

// Scan implements table.Below.
func (b *below) Scan(start, end []byte, _ bool) table.Iterator {
	t := b.now()
	return &iterator{tree: t, cursor: t.scan(start, slices.Clone(end))}
}

// Write implements table.Below.
func (b *below) Write(e *table.Entries) error {
	if e.Len() == 0 {
		return nil
	}
	next := b.now().writable()
	err := e.Each(func(key, stored []byte, deleted bool) error {
		if deleted {
			next.delete(key)
		} else {
			next.put(key, append([]byte{}, stored...))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.Publish(func() error {
		b.tree.Store(next)
		return nil
	})
}

// iterator implements table.Iterator.
type iterator struct {
	tree       *tree
	cursor     *cursor // nil: closed
	key, value []byte
}

func (it *iterator) Next() bool {
	if it.cursor == nil || !it.cursor.next() {
		it.key, it.value = nil, nil
		return false
	}
	it.key, it.value = it.cursor.entry()
	return true
}

func (it *iterator) Seek(key []byte) bool {
	if it.cursor != nil {
		it.cursor = it.tree.scan(key, it.cursor.end)
	}
	return it.Next()
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }
func (it *iterator) Err() error    { return nil }

func (it *iterator) Close() error {
	*it = iterator{}
	return nil
}
