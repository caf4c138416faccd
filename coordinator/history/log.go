package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// WriteEvery is the least time between two writes of a history.
const WriteEvery = 10 * time.Second

const (
	readsToGiveUp = 3   // times that a history must be found unreadable
	maxStale      = 100 // objects that a log remembers to delete; a sweep finds the others
)

// Log gathers the history of a job for its leader, and keeps it in the store. All
// methods may be called from any goroutine.
type Log struct {
	store upload.Store
	log   *slog.Logger
	limit time.Duration // of one request

	// Of run's goroutine:
	last  Name   // of the newest write
	saved bool   // last was written
	stale []Name // last, and what is garbage once last was written
	tries int    // to read what earlier leaders left

	mu struct {
		sync.Mutex
		history History
		dirty   bool // it is not written
	}
	wake    chan struct{} // of capacity 1
	closing sync.Once
	leaving chan struct{} // closed by Close
	done    chan struct{} // closed when run has returned
}

// Options say for whom a Log writes.
type Options struct {
	Store  upload.Store // of the job. Required
	Job    string
	Epoch  checkpoint.Epoch // that the job's leader has taken. Required
	Limit  time.Duration    // of one request to the store. Required
	Logger *slog.Logger     // Required
}

// Open returns the log of a job's leader, which must be closed. It reads what earlier
// leaders left, and writes what is added, both in a goroutine that ends with ctx.
func Open(ctx context.Context, o Options) *Log {
	l := &Log{
		store: o.Store, log: o.Logger.With("job", o.Job), limit: o.Limit, last: Name{Epoch: o.Epoch},
		wake: make(chan struct{}, 1), leaving: make(chan struct{}), done: make(chan struct{}),
	}
	l.mu.history.Job = o.Job
	go l.run(ctx)
	return l
}

// Add appends a checkpoint that ended. It does not wait for the store.
func (l *Log) Add(c Checkpoint) {
	l.mu.Lock()
	l.mu.history, l.mu.dirty = l.mu.history.with(c), true
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// History returns all that was added, and what earlier leaders left, once that was read.
func (l *Log) History() History {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.history
}

// Close writes once more, if there is something to write, and ends the log's goroutine.
// When ctx ends, it stops waiting: the goroutine then ends with the ctx of Open.
func (l *Log) Close(ctx context.Context) {
	l.closing.Do(func() { close(l.leaving) })
	select {
	case <-l.done:
	case <-ctx.Done():
	}
}

// run reads once and writes again and again: at once, if the last write is long enough
// ago. A request that fails is tried again when the next write is due. What a newer leader
// or a newer program wrote is never replaced: nothing is written then.
func (l *Log) run(ctx context.Context) {
	defer close(l.done)
	loaded, lags := false, false
	for {
		leaving := l.left()
		var err error
		wrote := false
		if !loaded {
			err = l.load(ctx)
			loaded = err == nil
		}
		if loaded {
			wrote, err = l.write(ctx)
		}
		if err != nil && !lags && ctx.Err() == nil {
			l.log.Warn("the history of checkpoints lags; checkpoints go on", "error", err)
		}
		lags = err != nil
		if leaving || ctx.Err() != nil || errors.Is(err, ErrNewer) {
			return
		}
		if wrote || err != nil {
			pause := time.NewTimer(WriteEvery)
			select {
			case <-pause.C:
			case <-l.leaving:
			case <-ctx.Done():
			}
			pause.Stop()
		}
		if err == nil {
			select {
			case <-l.wake:
			case <-l.leaving:
			case <-ctx.Done():
			}
		}
	}
}

func (l *Log) left() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// load reads what earlier leaders left. A history that stays unreadable is given up.
func (l *Log) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	names, err := list(ctx, l.store)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Epoch > l.last.Epoch {
			return fmt.Errorf("%w, of epoch %d: %s", ErrNewer, n.Epoch, n)
		}
	}
	old, err := Read(ctx, l.store)
	if errors.Is(err, ErrFormat) || errors.Is(err, upload.ErrCorrupt) {
		if l.tries++; l.tries == readsToGiveUp {
			l.log.Warn("the history of checkpoints begins anew", "error", err)
			err = nil
		}
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Epoch == l.last.Epoch {
			l.last.Number = max(l.last.Number, n.Number)
		}
	}
	l.stale = names
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.history = l.mu.history.after(old)
	return nil
}

// write puts the history under a new name, if something was added, and then deletes
// what is of no use any more.
func (l *Log) write(ctx context.Context) (wrote bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	l.mu.Lock()
	h, dirty := l.mu.history, l.mu.dirty
	l.mu.dirty = false
	l.mu.Unlock()
	if dirty {
		if err := l.put(ctx, h); err != nil {
			l.mu.Lock()
			l.mu.dirty = true
			l.mu.Unlock()
			return false, err
		}
	}
	if !l.saved || len(l.stale) < 2 {
		return dirty, nil
	}
	gone := make([]string, 0, len(l.stale))
	for _, n := range l.stale {
		if n.Compare(l.last) < 0 {
			gone = append(gone, n.String())
		}
	}
	if err := l.store.Delete(ctx, gone...); err != nil {
		return dirty, err
	}
	l.stale = []Name{l.last}
	return dirty, nil
}

// put writes a history. Its name is stale from the start: of a write whose outcome is
// not known, the object may appear later.
func (l *Log) put(ctx context.Context, h History) error {
	l.last.Number++
	l.saved = false
	l.stale = append(l.stale, l.last)
	l.stale = slices.Clone(l.stale[max(0, len(l.stale)-maxStale):])
	err := Put(ctx, l.store, l.last, h)
	l.saved = err == nil
	return err
}
