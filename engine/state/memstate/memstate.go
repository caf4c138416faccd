package memstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

var (
	errClosed = errors.New("memstate: the backend is closed")
	errUsed   = errors.New("memstate: the snapshot was persisted or released already")
)

// Factory opens backends in memory. The zero Factory is ready, and any
// goroutine may use it.
type Factory struct{}

var _ state.Factory = Factory{}

// Open implements state.Factory. It takes handles of this package only.
func (Factory) Open(ctx context.Context, r state.OpenRequest) (state.Backend, error) {
	b := &backend{groups: r.KeyGroups, columns: map[string]*column{}}
	for _, h := range r.Handles {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		mem, ok := h.(*Handle)
		if !ok {
			return nil, fmt.Errorf("%w: open operator %q: its checkpoint holds a %T, which state in memory cannot read: start with the backend that wrote it", state.ErrIncompatible, r.Operator, h)
		}
		if err := b.restore(mem); err != nil {
			return nil, fmt.Errorf("open operator %q: %w", r.Operator, err)
		}
	}
	return b, nil
}

// Handle is a snapshot in memory. It is immutable.
type Handle struct {
	groups  keygroup.Range
	columns []frozen // sorted by name
}

type frozen struct {
	descriptor state.Descriptor
	tree       tree
}

var _ checkpoint.StateHandle = (*Handle)(nil)

// KeyGroups implements checkpoint.StateHandle.
func (h *Handle) KeyGroups() keygroup.Range { return h.groups }

// FullBytes implements checkpoint.StateHandle: the bytes of keys and values.
func (h *Handle) FullBytes() int64 {
	n := int64(0)
	for _, c := range h.columns {
		n += c.tree.bytes
	}
	return n
}

// NewBytes implements checkpoint.StateHandle: zero, since nothing is uploaded.
func (h *Handle) NewBytes() int64 { return 0 }

// NewObjects implements checkpoint.StateHandle: none, since nothing is uploaded.
func (h *Handle) NewObjects() []string { return nil }

// backend is a state.Backend.
type backend struct {
	groups  keygroup.Range
	columns map[string]*column
	closed  bool
}

// restore adds what h holds of the backend's key groups.
func (b *backend) restore(h *Handle) error {
	shared := h.groups.Intersect(b.groups)
	if shared.Len() == 0 {
		return nil
	}
	for _, f := range h.columns {
		c, ok := b.columns[f.descriptor.Name]
		switch {
		case !ok && shared == h.groups:
			b.columns[f.descriptor.Name] = &column{backend: b, descriptor: f.descriptor, tree: f.tree.writable()}
			continue
		case !ok:
			c = &column{backend: b, descriptor: f.descriptor, tree: newTree()}
			b.columns[f.descriptor.Name] = c
		case c.descriptor.Fits(f.descriptor) != nil:
			// Subtasks may disagree only in which of them is older.
			if err := f.descriptor.Fits(c.descriptor); err != nil {
				return err
			}
			c.descriptor = f.descriptor
		}
		start := keygroup.AppendPrefix(nil, keygroup.KeyGroup(shared.Start))
		end := keygroup.AppendPrefix(nil, keygroup.KeyGroup(shared.End))
		for it := f.tree.scan(start, end); it.next(); {
			c.tree.put(it.entry())
		}
	}
	return nil
}

// Column implements state.Backend.
func (b *backend) Column(d state.Descriptor) (state.Column, error) {
	if b.closed {
		return nil, errClosed
	}
	c, ok := b.columns[d.Name]
	if !ok {
		c = &column{backend: b, tree: newTree()}
		b.columns[d.Name] = c
	} else if err := d.Fits(c.descriptor); err != nil {
		return nil, err
	}
	c.descriptor = d
	return c, nil
}

// Snapshot implements state.Backend.
func (b *backend) Snapshot(ctx context.Context, _ checkpoint.Barrier) (state.Pending, error) {
	if b.closed {
		return nil, errClosed
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	h := &Handle{groups: b.groups}
	for _, c := range slices.SortedFunc(maps.Values(b.columns), func(a, b *column) int {
		return cmp.Compare(a.descriptor.Name, b.descriptor.Name)
	}) {
		h.columns = append(h.columns, frozen{c.descriptor, c.tree.snapshot()})
	}
	p := &pending{}
	p.handle.Store(h)
	return p, nil
}

// Committed implements state.Backend.
func (b *backend) Committed(checkpoint.ID) {}

// Aborted implements state.Backend.
func (b *backend) Aborted(checkpoint.ID) {}

// Close implements state.Backend. Handles stay good.
func (b *backend) Close() error {
	b.closed, b.columns = true, nil
	return nil
}

// pending is a state.Pending.
type pending struct{ handle atomic.Pointer[Handle] }

// Persist implements state.Pending.
func (p *pending) Persist(ctx context.Context) (checkpoint.StateHandle, error) {
	h := p.handle.Swap(nil)
	if h == nil {
		return nil, errUsed
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// Release implements state.Pending.
func (p *pending) Release() { p.handle.Store(nil) }
