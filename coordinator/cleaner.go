package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Bounds of the cleaner.
const (
	deleteBatch   = 250     // objects in one request
	deleteLanes   = 8       // requests at a time
	maxWaiting    = 100_000 // objects; more are left to a sweep
	maxUnknown    = 100     // names that are remembered
	readsToHalt   = 3       // times that something must be found unreadable
	triesAtEnd    = 4       // of a request that fails, once finish was called
	firstPause    = 200 * time.Millisecond
	longestPause  = time.Minute
	listingFactor = 10 // a listing may take as long as this many requests
)

// cleaner deletes what the machine decides to delete. It is one goroutine
// beside the event loop, so it never holds up a checkpoint. What a checkpoint
// reaches it knows from stored manifests alone.
//
// A request that fails pauses all deletion and is tried again for ever. A
// manifest that is missing or unreadable halts it: what is reachable is not
// known then.
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
		kept     []Ref // by the newest head
		dropped  []Ref // by commits, and not collected yet
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

// add queues a collect, a discard or a sweep. What waits is bounded: collections
// and sweeps are merged, and discards beyond maxWaiting are left to a sweep.
func (c *cleaner) add(work action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended {
		return
	}
	switch w := work.(type) {
	case collect:
		c.mu.dropped = append(c.mu.dropped, w.dropped...)
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

// status returns what came of the work so far.
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
		default:
			if finished {
				return
			}
			select {
			case <-c.wake:
			case <-c.leaving:
			case <-ctx.Done():
			}
		}
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

// retry does something until it succeeds. It reports false where it gave up:
// ctx ended, the leadership did, only a person can help, or the coordinator
// closes and it failed several times.
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

// report tells of a failure, and of the first success after one.
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

// doomed is what is to be deleted, manifests first.
type doomed struct {
	manifests, data []string
	refs            []Ref // the checkpoints that end with it
}

// collect finds what the dropped checkpoints reach and no kept one does.
func (c *cleaner) collect(ctx context.Context, dropped []Ref) (d doomed, err error) {
	if err := c.keep(ctx); err != nil {
		return d, err
	}
	for _, ref := range dropped {
		err := c.register(ctx, ref)
		if errors.Is(err, upload.ErrNotExist) {
			// Somebody was here already. What it reached alone is for the sweep:
			// without the stored manifest nothing is known for sure.
			continue
		}
		if err != nil {
			return d, fmt.Errorf("collect dropped checkpoint %d: %w", ref.ID, err)
		}
		d.refs = append(d.refs, ref)
	}
	for _, ref := range d.refs {
		for _, o := range c.registry.unregister(ref.String()) {
			if o == manifestName(ref) {
				d.manifests = append(d.manifests, o)
			} else {
				d.data = append(d.data, o)
			}
		}
	}
	return d, nil
}

// keep registers the checkpoints that the newest head retains.
func (c *cleaner) keep(ctx context.Context) error {
	c.mu.Lock()
	kept := c.mu.kept
	c.mu.Unlock()
	for _, ref := range kept {
		if err := c.register(ctx, ref); err != nil {
			return fmt.Errorf("what retained checkpoint %d reaches is not known: %w", ref.ID, err)
		}
	}
	return nil
}

// register learns from the stored manifest what a checkpoint reaches.
func (c *cleaner) register(ctx context.Context, ref Ref) error {
	if c.registry.has(ref.String()) {
		return nil
	}
	var m *incremental.Manifest
	err := c.request(ctx, 1, func(ctx context.Context) (err error) {
		m, err = incremental.ReadManifest(ctx, c.store, ref.ID, ref.Epoch)
		return err
	})
	if err == nil {
		err = m.CheckJob(c.job)
	}
	if err != nil {
		return err
	}
	return c.registry.register(ref.String(), reach(m))
}

// sweep deletes orphans, and ends unfinished uploads of dead checkpoints.
func (c *cleaner) sweep(ctx context.Context, dead scope) {
	for more := true; more; {
		var f findings
		if !c.retry(ctx, func() (err error) {
			if err := c.keep(ctx); err != nil {
				return err
			}
			return c.request(ctx, listingFactor, func(ctx context.Context) (err error) {
				f, err = survey(ctx, c.store, c.kept, dead, maxWaiting)
				return err
			})
		}) {
			return
		}
		c.count(func(s *CleanerStatus) { s.Unknown = f.unknown[:min(len(f.unknown), maxUnknown)] })
		if len(f.unknown) > 0 {
			c.log.Warn("objects with names that are not the job's are left alone", "job", c.job, "objects", len(f.unknown), "object", f.unknown[0])
		}
		if !c.delete(ctx, f.doomed) {
			return
		}
		for _, u := range f.uploads {
			if !c.retry(ctx, func() error {
				return c.request(ctx, 1, func(ctx context.Context) error { return c.store.AbortUpload(ctx, u) })
			}) {
				return
			}
			c.count(func(s *CleanerStatus) { s.Uploads++ })
		}
		more = f.more
	}
}

// kept reports whether a retained checkpoint reaches the object.
func (c *cleaner) kept(object string) bool { return len(c.registry.keepers[object]) > 0 }

// delete deletes objects, the manifests before anything else, and reports
// whether all are gone.
func (c *cleaner) delete(ctx context.Context, d doomed) bool {
	all := len(d.manifests) + len(d.data)
	c.mu.Lock()
	c.mu.deleting = all
	c.mu.status.Doomed += all
	c.mu.Unlock()
	for _, names := range [][]string{d.manifests, d.data} {
		for round := range slices.Chunk(names, deleteBatch*deleteLanes) {
			if !c.retry(ctx, func() error { return c.deleteAtOnce(ctx, round) }) {
				c.count(func(s *CleanerStatus) { s.LeftToSweep += c.mu.deleting; c.mu.deleting = 0 })
				return false
			}
			c.count(func(s *CleanerStatus) { s.Deleted += len(round); c.mu.deleting -= len(round) })
		}
	}
	return true
}

// deleteAtOnce deletes objects by several requests at a time.
func (c *cleaner) deleteAtOnce(ctx context.Context, names []string) error {
	var g errgroup.Group
	for batch := range slices.Chunk(names, deleteBatch) {
		g.Go(func() error {
			if err := c.pace.WaitN(ctx, len(batch)); err != nil {
				return fmt.Errorf("delete %d objects: %w", len(batch), err)
			}
			return c.request(ctx, 1, func(ctx context.Context) error { return c.store.Delete(ctx, batch...) })
		})
	}
	return g.Wait()
}

// request bounds the time of a request to the store.
func (c *cleaner) request(ctx context.Context, factor time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, factor*c.limit)
	defer cancel()
	return do(ctx)
}
