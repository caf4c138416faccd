package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Bounds of the cleaner.
const (
	deleteBatch   = 250     // objects in one request
	deleteLanes   = 8       // requests at a time
	maxWaiting    = 100_000 // objects, and checkpoints; more are left to a sweep
	maxUnknown    = 100     // names that are remembered
	readsToHalt   = 3       // times that something must be found unreadable
	triesAtEnd    = 4       // of a request that fails, once finish was called
	firstPause    = 200 * time.Millisecond
	longestPause  = time.Minute
	listingFactor = 10 // a listing may take as long as this many requests
)

// cleaner deletes what the machine decides to delete. It is one goroutine
// beside the event loop, so it never holds up a checkpoint. It learns what a
// checkpoint reaches from the stored manifest: it reads that, or, if this leader
// put it, compares the stored object's length and checksum.
//
// A request that fails pauses all deletion and is tried again for ever. A manifest
// that is missing or unreadable halts deletion, since the cleaner then does not
// know what is reachable.
type cleaner struct {
	store upload.Store
	job   string
	log   *slog.Logger
	limit time.Duration // of one request
	pace  *rate.Limiter // of objects deleted
	tell  func(event)

	registry *registry // of run's goroutine
	paused   bool      // of run's goroutine

	mu struct {
		sync.Mutex
		kept     []Ref     // by the newest head
		written  []written // manifests of this leader that are not registered yet
		dropped  []Ref     // by commits, and not collected yet
		names    []string
		dead     *scope // of the sweep to come
		sweeping bool
		deleting int // objects that run is about to delete
		finished bool
		ended    bool // no work is taken any more
		status   CleanerStatus
	}
	wake    chan struct{} // of capacity 1
	leaving chan struct{} // closed by finish
	done    chan struct{} // closed when run has returned
}

func newCleaner(o Options, tell func(event)) *cleaner {
	return &cleaner{
		store: o.Store, job: o.Job, log: o.Logger, limit: o.RequestTimeout, tell: tell,
		pace:     rate.NewLimiter(rate.Limit(o.DeletesPerSecond), max(deleteBatch, o.DeletesPerSecond/10)),
		registry: newRegistry(), wake: make(chan struct{}, 1), leaving: make(chan struct{}), done: make(chan struct{}),
	}
}

// written is what this leader put as a manifest.
type written struct {
	ref Ref
	incremental.Written
	reach []string
}

// maxWritten bounds the manifests that are remembered until they are
// registered. One that is forgotten is read.
const maxWritten = 4

// wrote tells what a manifest reaches that this leader has put.
func (c *cleaner) wrote(ref Ref, w incremental.Written, m *incremental.Manifest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.written = append(c.mu.written, written{ref, w, reach(m)})
	c.mu.written = slices.Clone(c.mu.written[max(0, len(c.mu.written)-maxWritten):])
}

// takeWritten returns what this leader put for a checkpoint, once.
func (c *cleaner) takeWritten(ref Ref) (w written, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.mu.written, func(w written) bool { return w.ref == ref })
	if i < 0 {
		return written{}, false
	}
	w = c.mu.written[i]
	c.mu.written = slices.Delete(slices.Clone(c.mu.written), i, i+1)
	return w, true
}

// add queues a collect, a discard or a sweep. What waits is bounded: collections
// and sweeps are merged, and what exceeds maxWaiting is left to a later sweep.
func (c *cleaner) add(work action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended {
		return
	}
	switch w := work.(type) {
	case collect:
		c.mu.dropped = append(c.mu.dropped, w.dropped...)
		c.mu.dropped = c.mu.dropped[max(0, len(c.mu.dropped)-maxWaiting):]
		c.mu.kept = w.kept
	case discard:
		room := min(len(w.names), maxWaiting-len(c.mu.names))
		c.mu.names = append(c.mu.names, w.names[:room]...)
		c.mu.status.LeftToSweep += len(w.names) - room
	case sweep:
		c.mu.kept, c.mu.dead = w.kept, &w.dead // it covers what an earlier one would
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end drops all work: the sweep of a later leader finds what is left.
func (c *cleaner) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.ended = true
	c.mu.status.LeftToSweep += len(c.mu.names)
	c.mu.dropped, c.mu.names, c.mu.dead = nil, nil, nil
}

// finish lets run return once all work is done. It is called once.
func (c *cleaner) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.finished = true
	close(c.leaving)
}

func (c *cleaner) count(change func(*CleanerStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.mu.status)
}

// status returns what was done so far.
func (c *cleaner) status() CleanerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.status
	s.Unknown = slices.Clone(s.Unknown)
	s.Waiting = len(c.mu.names) + c.mu.deleting
	s.Sweeping = c.mu.sweeping || c.mu.dead != nil
	return s
}

// run works until finish was called and nothing is left, or ctx ends.
func (c *cleaner) run(ctx context.Context) {
	defer close(c.done)
	for ctx.Err() == nil {
		work, finished := c.take()
		switch {
		case work != nil:
			c.work(ctx, work)
		case finished:
			return
		default:
			select {
			case <-c.wake:
			case <-c.leaving:
			case <-ctx.Done():
			}
		}
	}
}

// work does one piece of work.
func (c *cleaner) work(ctx context.Context, work action) {
	switch w := work.(type) {
	case collect:
		var d doomed
		if c.retry(ctx, func() (err error) { d, err = c.collect(ctx, w.dropped); return err }) && c.delete(ctx, d) {
			c.tell(collected{d.refs})
		}
	case discard:
		c.delete(ctx, doomed{data: w.names})
	case sweep:
		c.sweep(ctx, w.dead)
	}
}

// take returns the next piece of work, nil where there is none.
func (c *cleaner) take() (work action, finished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.mu
	m.deleting, m.sweeping = 0, false
	switch {
	case len(m.dropped) > 0:
		work, m.dropped = collect{dropped: m.dropped}, nil
	case len(m.names) > 0:
		work, m.deleting, m.names = discard{m.names}, len(m.names), nil
	case m.dead != nil:
		work, m.dead, m.sweeping = sweep{dead: *m.dead}, nil, true
	}
	return work, m.finished
}

// retry calls do until it succeeds. It returns false if it gives up: because ctx or the
// leadership ended, a manifest cannot be read, or the coordinator closes and do failed
// several times.
func (c *cleaner) retry(ctx context.Context, do func() error) bool {
	for try := 1; ; try++ {
		err := do()
		if err == nil {
			c.report(nil)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.count(func(s *CleanerStatus) { s.Failures++ })
		if unreadableFor(err) && try >= readsToHalt {
			c.halt(err)
			return false
		}
		c.report(err)
		c.mu.Lock()
		over := c.mu.ended || c.mu.finished && try >= triesAtEnd
		leaving := c.leaving
		if c.mu.finished {
			leaving = nil
		}
		c.mu.Unlock()
		if over {
			return false
		}
		t := time.NewTimer(min(firstPause<<min(try, 10), longestPause))
		select {
		case <-t.C:
		case <-leaving:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// unreadableFor reports whether the error says that it is not known what a
// checkpoint reaches, however often it is asked for.
func unreadableFor(err error) bool {
	var corrupt *incremental.CorruptManifestError
	return errors.As(err, &corrupt) || errors.Is(err, incremental.ErrNewerVersion) || errors.Is(err, incremental.ErrWrongJob) ||
		errors.Is(err, upload.ErrNotExist) || errors.Is(err, upload.ErrCorrupt)
}

// report reports a failure, and the first success after one.
func (c *cleaner) report(err error) {
	if err == nil && !c.paused {
		return
	}
	c.paused = err != nil
	c.count(func(s *CleanerStatus) { s.Paused = err })
	c.tell(deletion{err: err})
}

// halt ends all deletion.
func (c *cleaner) halt(err error) {
	c.end()
	c.count(func(s *CleanerStatus) { s.Paused, s.Halted = nil, err })
	c.tell(deletion{err: err, halted: true})
}
