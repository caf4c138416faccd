package rocks_test

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/memstore"
)

// shaker opens databases, and disturbs them.
type shaker struct {
	resources *rocks.Resources
	empty     string // a database that is copied, since to make one takes far longer
	open      map[*shaken]bool
	fault     atomic.Int32 // of the next checkpoint; 0: none
	// flushing is held while a checkpoint is written. A forced compaction flushes, too, and
	// two flushes of all columns at once fail an assertion of RocksDB 7.8 (tm_await_flushes).
	flushing sync.Mutex
}

func newShaker(t *testing.T, r *rocks.Resources) *shaker {
	t.Helper()
	s := &shaker{resources: r, empty: filepath.Join(t.TempDir(), "empty"), open: map[*shaken]bool{}}
	db := open(t, t.TempDir(), r, statetest.RandomStates()...)
	check(t, db.Checkpoint(s.empty))
	check(t, db.Close())
	return s
}

// The faults of a checkpoint.
const (
	inTheWay = 1 + iota // nothing is written
	noTarget            // everything is written, and then the copy fails
	faults   = iota
)

// shaken is a database whose checkpoints may fail.
type shaken struct {
	*rocks.DB
	shaker *shaker
}

func (s *shaker) openBase(dir string, states []state.Descriptor) (incremental.Base, error) {
	if _, err := os.Stat(filepath.Join(dir, "CURRENT")); os.IsNotExist(err) {
		if err := os.CopyFS(dir, os.DirFS(s.empty)); err != nil {
			return nil, err
		}
	}
	db, err := rocks.Open(dir, s.resources, states)
	if err != nil {
		return nil, err
	}
	d := &shaken{db, s}
	s.open[d] = true
	return d, nil
}

func (s *shaker) compact() {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	for d := range s.open {
		d.Compact()
	}
}

func (d *shaken) Freeze(dir string) (write func() error, release func(), err error) {
	switch d.shaker.fault.Swap(0) {
	case inTheWay:
		if err := os.MkdirAll(filepath.Join(dir, "something"), 0o755); err != nil {
			return nil, nil, err
		}
	case noTarget:
		dir = filepath.Join(dir, "missing", "snapshot")
	}
	freeze, release, err := d.DB.Freeze(dir)
	if err != nil {
		return nil, nil, err
	}
	return func() error {
		d.shaker.flushing.Lock()
		defer d.shaker.flushing.Unlock()
		return freeze()
	}, release, nil
}

func (d *shaken) Close() error {
	delete(d.shaker.open, d)
	return d.DB.Close()
}

// I3, I8, I9, I11: random sequences with a table so small that everything is
// spilled, forced compactions, and checkpoints whose write fails.
func TestRandomStates(t *testing.T) {
	clock := &statetest.Clock{}
	s := newShaker(t, resources(t, func(o *rocks.Options) { o.Clock, o.TableBytes = clock.Now, 64<<10 }))
	statetest.Random(t, statetest.Harness{
		Factory: func(t *testing.T) state.Factory {
			return factory(t, memoryDir(t), memstore.New(), s.openBase)
		},
		Clock:     clock,
		Compact:   s.compact,
		Break:     func(n int) { s.fault.Store(int32(1 + n%faults)) },
		Sequences: 1500,
	})
}

// memoryDir is a t.TempDir, in memory where the system has a place for that:
// these tests are about order, and a disk makes them ten times as slow.
func memoryDir(t *testing.T) string {
	t.Helper()
	const memory = "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "tidemark-test-*")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}
