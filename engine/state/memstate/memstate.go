package memstate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/rocks/column"
	"github.com/tidemark/tidemark/rocks/table"
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
	b := &backend{groups: r.KeyGroups, columns: map[string]*stored{}}
	b.tables = table.Unlimited().NewTables(func(int64) func(*table.Flush) error { return (*table.Flush).Write })
	for _, h := range r.Handles {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		mem, ok := h.(*Handle)
		if !ok {
			return nil, fmt.Errorf("%w: open operator %q: its checkpoint holds a %T, which state in memory cannot read: start with the backend that wrote it", state.ErrIncompatible, r.Operator, h)
		}
		if err := b.restore(mem, r.Drop); err != nil {
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
	tree       *tree
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
	tables  *table.Tables
	columns map[string]*stored // by the name of the state
	closed  bool
}

// stored is a state in a backend.
type stored struct {
	descriptor state.Descriptor
	below      *below
	column     *column.Column // above below
	opened     bool           // by Column
}

func (b *backend) add(d state.Descriptor, t *tree) *stored {
	s := &stored{descriptor: d, below: newBelow(t)}
	s.column = column.New(d.Name, b.tables, s.below)
	b.columns[d.Name] = s
	return s
}

// restore adds what h holds of the backend's key groups, but for the states drop.
func (b *backend) restore(h *Handle, drop []string) error {
	shared := h.groups.Intersect(b.groups)
	if shared.Len() == 0 {
		return nil
	}
	for _, f := range h.columns {
		if slices.Contains(drop, f.descriptor.Name) {
			continue
		}
		s, ok := b.columns[f.descriptor.Name]
		switch {
		case !ok && shared == h.groups:
			b.add(f.descriptor, f.tree)
			continue
		case !ok:
			s = b.add(f.descriptor, newTree())
		case s.descriptor.Fits(f.descriptor) != nil:
			// Subtasks may disagree only in which of them is older.
			if err := f.descriptor.Fits(s.descriptor); err != nil {
				return err
			}
			s.descriptor = f.descriptor
		}
		start := keygroup.AppendPrefix(nil, keygroup.KeyGroup(shared.Start))
		end := keygroup.AppendPrefix(nil, keygroup.KeyGroup(shared.End))
		merged := s.below.now().writable()
		for c := f.tree.scan(start, end); c.next(); {
			merged.put(c.entry())
		}
		s.below.tree.Store(merged)
	}
	return nil
}

// Column implements state.Backend.
func (b *backend) Column(d state.Descriptor) (state.Column, error) {
	if b.closed {
		return nil, errClosed
	}
	s, ok := b.columns[d.Name]
	if !ok {
		s = b.add(d, newTree())
	} else if err := d.Fits(s.descriptor); err != nil {
		return nil, err
	}
	s.descriptor, s.opened = d, true
	return owned{s.column, d.Name, b.groups}, nil
}

// Unopened implements state.Backend.
func (b *backend) Unopened() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.columns)) {
		if !b.columns[name].opened {
			names = append(names, name)
		}
	}
	return names
}

// Snapshot implements state.Backend.
func (b *backend) Snapshot(ctx context.Context, _ checkpoint.Barrier) (state.Pending, error) {
	if b.closed {
		return nil, errClosed
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p := &pending{handle: &Handle{groups: b.groups}}
	var all []*below
	for _, name := range slices.Sorted(maps.Keys(b.columns)) {
		s := b.columns[name]
		p.handle.columns = append(p.handle.columns, frozen{descriptor: s.descriptor})
		all = append(all, s.below)
	}
	p.flush = b.tables.Begin(func(int64) func(*table.Flush) error {
		return func(f *table.Flush) error {
			if err := f.Write(); err != nil {
				return err
			}
			for i, below := range all {
				p.handle.columns[i].tree = below.now()
			}
			return nil
		}
	})
	return p, nil
}

// Committed implements state.Backend.
func (b *backend) Committed(checkpoint.ID) {}

// Aborted implements state.Backend.
func (b *backend) Aborted(checkpoint.ID) {}

// Close implements state.Backend. Handles stay valid. It fails if an iterator is
// open.
func (b *backend) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if n := b.tables.Close(errClosed); n > 0 {
		return fmt.Errorf("close state in memory: %d iterators were open", n)
	}
	return nil
}

// pending is a state.Pending.
type pending struct {
	flush  *table.Flush
	handle *Handle // complete when the flush has ended
	used   atomic.Bool
}

// Persist implements state.Pending.
func (p *pending) Persist(ctx context.Context) (checkpoint.StateHandle, error) {
	if p.used.Swap(true) {
		return nil, errUsed
	}
	if err := context.Cause(ctx); err != nil {
		p.flush.Release()
		return nil, err
	}
	if err := p.flush.Finish(); err != nil {
		return nil, err
	}
	return p.handle, nil
}

// Release implements state.Pending.
func (p *pending) Release() {
	p.used.Store(true)
	p.flush.Release()
}
