package incremental

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/upload"
)

// Base is the local store under a Backend, RocksDB in production. It belongs to
// one goroutine.
type Base interface {
	// Column opens the column of a state, empty if there was none.
	Column(d state.Descriptor) (state.Column, error)
	// Drop removes the column of a state, which nobody has used.
	Drop(name string) error
	// Freeze begins a snapshot of everything written until now. write makes dir,
	// which must not exist, a directory of files that hold exactly that. It may run in
	// another goroutine while the Base is used. If it fails, dir is gone and the Base
	// stays usable. release gives up a snapshot that nobody needs, and waits for a
	// write that has begun. Both may be called more than once, and after the other;
	// only the first call of each has an effect.
	Freeze(dir string) (write func() error, release func(), err error)
	// Contents describes the snapshot in dir, which Freeze's write made. Any goroutine
	// may call it, once for each snapshot. A store without columns returns the zero
	// Contents.
	Contents(dir string) (state.Contents, error)
	// Immutable reports whether a file of a snapshot, given by its base name, never
	// changes while the Base lives, and no other file ever gets its name. Any
	// goroutine may call it.
	Immutable(name string) bool
	// Close frees the Base and leaves its files.
	Close() error
}

// Backend is the keyed state of one operator subtask: a local store. It uploads from
// its snapshots what the object store does not have yet. It implements state.Backend; a
// Factory opens it.
type Backend struct {
	operator checkpoint.OperatorID
	index    int
	attempt  checkpoint.Attempt
	groups   keygroup.Range
	store    upload.Store
	plan     PlanOptions
	slots    slots
	log      *slog.Logger

	base      Base
	dir       string // all local files, removed by Close
	states    map[string]state.Descriptor
	unopened  map[string]bool // restored states whose column nobody asked for
	snapshots int             // taken, for their directories' names
	closed    bool

	mu   sync.Mutex // history
	past history
}

var _ state.Backend = (*Backend)(nil)

// Column implements state.Backend.
func (b *Backend) Column(d state.Descriptor) (state.Column, error) {
	if b.closed {
		return nil, fmt.Errorf("open state %q: %w", d.Name, ErrClosed)
	}
	if old, ok := b.states[d.Name]; ok {
		if err := d.Fits(old); err != nil {
			return nil, err
		}
	}
	c, err := b.base.Column(d)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", d.Name, err)
	}
	b.states[d.Name] = d
	delete(b.unopened, d.Name)
	return c, nil
}

// Unopened implements state.Backend.
func (b *Backend) Unopened() []string { return slices.Sorted(maps.Keys(b.unopened)) }

// Snapshot implements state.Backend. It writes nothing, neither to the local disk nor to
// the store: Persist does.
func (b *Backend) Snapshot(ctx context.Context, barrier checkpoint.Barrier) (state.Pending, error) {
	if b.closed {
		return nil, fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, err)
	}
	b.snapshots++
	dir := filepath.Join(b.dir, fmt.Sprintf("snapshot-%d", b.snapshots))
	write, release, err := b.base.Freeze(dir)
	if err != nil {
		return nil, fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, err)
	}
	return &pending{
		backend: b, barrier: barrier, dir: dir, write: write, release: release, immutable: b.base.Immutable,
		contents: b.base.Contents, base: b.reusable(barrier), states: slices.Collect(maps.Values(b.states)),
	}, nil
}

// reusable returns the handle whose objects the barrier allows to reuse.
func (b *Backend) reusable(barrier checkpoint.Barrier) *Handle {
	if barrier.Base == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.past.barrier(barrier.Base)
}

// Committed implements state.Backend.
func (b *Backend) Committed(id checkpoint.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.past.commit(id)
}

// Aborted implements state.Backend.
func (b *Backend) Aborted(id checkpoint.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.past.abort(id)
}

// Close implements state.Backend. Closing again fails with ErrClosed.
func (b *Backend) Close() error {
	if b.closed {
		return fmt.Errorf("close backend of %s/%d: %w", b.operator, b.index, ErrClosed)
	}
	b.closed = true
	if err := errors.Join(b.base.Close(), os.RemoveAll(b.dir)); err != nil {
		return fmt.Errorf("close backend of %s/%d: %w", b.operator, b.index, err)
	}
	return nil
}
