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
	// Checkpoint makes dir, which does not exist, a directory of files that
	// hold exactly what was written before. Where it fails, the Base stays
	// usable.
	Checkpoint(dir string) error
	// Immutable reports whether a file of a Checkpoint, by its base name,
	// never changes under its name while the Base lives and is never replaced
	// by another of that name.
	Immutable(name string) bool
	// Close frees the Base and leaves its files.
	Close() error
}

// Backend is the keyed state of one operator subtask: a local store whose
// snapshots go to an object store, as far as they are not there yet. It
// implements state.Backend; a Factory makes it.
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
	snapshots int // taken, for their directories' names
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
	return c, nil
}

// Snapshot implements state.Backend: it takes a local checkpoint, and nothing
// goes over the network yet.
func (b *Backend) Snapshot(ctx context.Context, barrier checkpoint.Barrier) (state.Pending, error) {
	if b.closed {
		return nil, fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, err)
	}
	b.snapshots++
	dir := filepath.Join(b.dir, fmt.Sprintf("snapshot-%d", b.snapshots))
	files, err := b.checkpointInto(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot for checkpoint %d: %w", barrier.ID, err), os.RemoveAll(dir))
	}
	return &pending{
		backend: b, barrier: barrier, dir: dir, files: files, base: b.reusable(barrier),
		states: slices.Collect(maps.Values(b.states)),
	}, nil
}

func (b *Backend) checkpointInto(dir string) ([]LocalFile, error) {
	if err := b.base.Checkpoint(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make([]LocalFile, len(entries))
	for i, e := range entries {
		name, err := LocalName(e.Name())
		if err != nil {
			return nil, err
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", name)
		}
		files[i] = LocalFile{Name: name, Size: info.Size(), Immutable: b.base.Immutable(name)}
	}
	return files, nil
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
