package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Bounds of the cleaner.
const (
	deleteBatch  = 250
	deleteTries  = 6
	readTries    = 4
	maxWaiting   = 100_000 // objects; more are left to a sweep
	maxUnknown   = 100     // names that are remembered
	cleanerPause = 200 * time.Millisecond
	listingLimit = 10 // of the time that one request may take
)

// cleaner deletes what a commit left unreachable, what aborted checkpoints
// left behind, and orphans. It is one goroutine beside the event loop. What it
// deletes follows from stored manifests; one that it cannot read, or a listing
// that fails, ends all deletion.
type cleaner struct {
	store  upload.Store
	job    string
	log    *slog.Logger
	rate   int           // deletes a second
	limit  time.Duration // of one request
	events *teller

	registry *registry // of run's goroutine

	mu struct {
		sync.Mutex
		dropped  []Ref // by commits, and not collected yet
		kept     []Ref // by the newest commit
		names    []string
		sweeps   []sweep
		finished bool
		left     bool
		status   CleanerStatus
	}
	wake chan struct{} // of capacity 1
	done chan struct{}
}

// sweep looks for orphans among all objects of the job.
type sweep struct {
	kept []Ref
	dead func(Ref) bool
}

func newCleaner(o Options, events *teller) *cleaner {
	return &cleaner{
		store: o.Store, job: o.Job, log: o.Logger, rate: o.DeletesPerSecond, limit: o.RequestTimeout, events: events,
		registry: newRegistry(), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// add queues work. Collections are coalesced, so what waits is bounded.
func (c *cleaner) add(work any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.finished || c.mu.left || c.mu.status.Halted != nil {
		return
	}
	switch w := work.(type) {
	case collect:
		c.mu.dropped = append(c.mu.dropped, w.dropped...)
		c.mu.kept = w.kept
	case discard:
		c.mu.status.Doomed += len(w.names)
		if room := maxWaiting - len(c.mu.names); len(w.names) > room {
			c.mu.status.LeftToSweep += len(w.names) - room
			w.names = w.names[:room]
		}
		c.mu.names = append(c.mu.names, w.names...)
		c.mu.status.Waiting += len(w.names)
	case sweep:
		c.mu.sweeps = append(c.mu.sweeps, w)
		c.mu.kept = w.kept
	}
	c.signal()
}

// leave drops all work: another leader's sweep will find what is left.
func (c *cleaner) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.left = true
	c.mu.dropped, c.mu.names, c.mu.sweeps = nil, nil, nil
	c.mu.status.LeftToSweep += c.mu.status.Waiting
	c.mu.status.Waiting = 0
}

// finish lets run return once all work is done.
func (c *cleaner) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.finished = true
	c.signal()
}

func (c *cleaner) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// status returns what came of the work so far.
func (c *cleaner) status() CleanerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.mu.status
	s.Unknown = slices.Clone(s.Unknown)
	return s
}

// run works until finish was called and nothing is left, or ctx ends.
func (c *cleaner) run(ctx context.Context) {
	defer close(c.done)
	for ctx.Err() == nil {
		work, finished := c.take()
		var err error
		switch w := work.(type) {
		case collect:
			err = c.collect(ctx, w)
		case discard:
			c.remove(ctx, w.names)
		case sweep:
			err = c.sweep(ctx, w)
		default:
			if finished {
				return
			}
			select {
			case <-c.wake:
			case <-ctx.Done():
			}
		}
		if err != nil && ctx.Err() == nil {
			c.halt(err)
		}
	}
}

// take returns the next piece of work, nil where there is none.
func (c *cleaner) take() (work any, finished bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.mu
	switch {
	case m.status.Halted != nil:
	case len(m.dropped) > 0:
		work, m.dropped = collect{m.dropped, m.kept}, nil
	case len(m.names) > 0:
		n := min(deleteBatch, len(m.names))
		work, m.names = discard{m.names[:n:n]}, m.names[n:]
		m.status.Waiting -= n
	case len(m.sweeps) > 0:
		// What was kept when the sweep was asked for may have been dropped and
		// deleted since.
		work, m.sweeps = sweep{m.kept, m.sweeps[0].dead}, m.sweeps[1:]
	}
	return work, m.finished
}

// halt ends all deletion: what is reachable is not known any more.
func (c *cleaner) halt(err error) {
	err = fmt.Errorf("nothing is deleted any more until the job is started again: %w", err)
	c.mu.Lock()
	c.mu.status.Halted = err
	c.mu.dropped, c.mu.names, c.mu.sweeps = nil, nil, nil
	c.mu.status.LeftToSweep += c.mu.status.Waiting
	c.mu.status.Waiting = 0
	c.mu.Unlock()
	c.alarm("deletion halted", err)
}

func (c *cleaner) alarm(what string, err error, args ...any) {
	c.mu.Lock()
	c.mu.status.Alarms++
	c.mu.Unlock()
	c.log.With(args...).Error("alarm", "what", what, "job", c.job, "error", err)
	c.events.alarm(err)
}

// collect deletes what the dropped checkpoints reach and no kept one does.
func (c *cleaner) collect(ctx context.Context, w collect) error {
	if err := c.keep(ctx, w.kept); err != nil {
		return err
	}
	var manifests, data []string
	var refs []Ref
	for _, ref := range w.dropped {
		m, err := c.manifest(ctx, ref)
		if errors.Is(err, upload.ErrNotExist) {
			// Somebody was here already. What it reached alone is for the sweep:
			// without the stored manifest nothing is known for sure.
			c.registry.unregister(ref.String())
			continue
		}
		if err == nil {
			err = c.registry.register(ref.String(), reach(m))
		}
		if err != nil {
			return fmt.Errorf("collect dropped checkpoint %d: %w", ref.ID, err)
		}
		refs = append(refs, ref)
	}
	for _, ref := range refs {
		for _, o := range c.registry.unregister(ref.String()) {
			if o == manifestName(ref) {
				manifests = append(manifests, o)
			} else {
				data = append(data, o)
			}
		}
	}
	c.mu.Lock()
	c.mu.status.Doomed += len(manifests) + len(data)
	c.mu.Unlock()
	if c.remove(ctx, manifests) && c.remove(ctx, data) {
		for _, ref := range refs {
			c.events.moved(ref.ID, Discarded)
		}
	}
	return nil
}

// keep registers checkpoints by their stored manifests, each read once.
func (c *cleaner) keep(ctx context.Context, refs []Ref) error {
	for _, ref := range refs {
		if c.registry.has(ref.String()) {
			continue
		}
		m, err := c.manifest(ctx, ref)
		if err == nil {
			err = c.registry.register(ref.String(), reach(m))
		}
		if err != nil {
			return fmt.Errorf("what retained checkpoint %d reaches is not known: %w", ref.ID, err)
		}
	}
	return nil
}

// manifest reads a stored manifest, again where that may help.
func (c *cleaner) manifest(ctx context.Context, ref Ref) (m *incremental.Manifest, err error) {
	for try := range readTries {
		if try > 0 && !pause(ctx, cleanerPause<<try) {
			return nil, ctx.Err()
		}
		request, cancel := context.WithTimeout(ctx, c.limit)
		m, err = incremental.ReadManifest(request, c.store, ref.ID, ref.Epoch)
		cancel()
		if err == nil {
			return m, m.CheckJob(c.job)
		}
		var corrupt *incremental.CorruptManifestError
		if permanent(err) || errors.Is(err, upload.ErrNotExist) || errors.Is(err, incremental.ErrNewerVersion) || errors.As(err, &corrupt) {
			break
		}
	}
	return nil, err
}

// remove deletes objects in batches, and reports whether all are gone. What
// cannot be deleted is tried again for a while, and then left to a sweep.
func (c *cleaner) remove(ctx context.Context, names []string) bool {
	all := true
	for batch := range slices.Chunk(names, deleteBatch) {
		var err error
		for try := range deleteTries {
			if try > 0 && !pause(ctx, cleanerPause<<try) {
				return false
			}
			request, cancel := context.WithTimeout(ctx, c.limit)
			err = c.store.Delete(request, batch...)
			cancel()
			if err == nil || ctx.Err() != nil || permanent(err) {
				break
			}
			c.count(func(s *CleanerStatus) { s.Failures++ })
		}
		if err != nil {
			all = false
			c.count(func(s *CleanerStatus) { s.LeftToSweep += len(batch) })
			if ctx.Err() == nil {
				c.alarm("delete objects", err, "objects", len(batch), "object", batch[0])
			}
			continue
		}
		c.count(func(s *CleanerStatus) { s.Deleted += len(batch) })
		if !pause(ctx, time.Duration(len(batch))*time.Second/time.Duration(c.rate)) {
			return false
		}
	}
	return all
}

func (c *cleaner) count(change func(*CleanerStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.mu.status)
}

// sweep deletes orphans, and ends unfinished uploads of dead checkpoints.
func (c *cleaner) sweep(ctx context.Context, w sweep) error {
	if err := c.keep(ctx, w.kept); err != nil {
		return err
	}
	found, err := c.survey(ctx, w.dead)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.mu.status.Doomed += len(found.doomed)
	c.mu.status.Unknown = found.unknown[:min(len(found.unknown), maxUnknown)]
	c.mu.Unlock()
	if len(found.unknown) > 0 {
		c.log.Warn("names that are none of the job's are left alone", "job", c.job, "objects", len(found.unknown), "object", found.unknown[0])
	}
	c.remove(ctx, found.doomed)
	for _, u := range found.uploads {
		request, cancel := context.WithTimeout(ctx, c.limit)
		err := c.store.AbortUpload(request, u)
		cancel()
		if err != nil {
			c.count(func(s *CleanerStatus) { s.Failures++ })
			if ctx.Err() == nil {
				c.alarm("abort unfinished upload", err, "object", u)
			}
			continue
		}
		c.count(func(s *CleanerStatus) { s.Uploads++ })
	}
	return nil
}

// survey looks for orphans, again where that may help.
func (c *cleaner) survey(ctx context.Context, dead func(Ref) bool) (f findings, err error) {
	for try := range readTries {
		if try > 0 && !pause(ctx, cleanerPause<<try) {
			return findings{}, ctx.Err()
		}
		request, cancel := context.WithTimeout(ctx, listingLimit*c.limit)
		f, err = survey(request, c.store, func(o string) bool { return len(c.registry.keepers[o]) > 0 }, dead)
		cancel()
		if err == nil || permanent(err) {
			break
		}
	}
	return f, err
}

// findings are what a survey of a job's store found.
type findings struct{ doomed, unknown, uploads []string }

// survey lists a job's store and picks the orphans. It changes nothing; with
// an error nothing is known.
func survey(ctx context.Context, store upload.Store, kept func(string) bool, dead func(Ref) bool) (findings, error) {
	var f findings
	var listing []string
	for info, err := range store.List(ctx, "") {
		if err != nil {
			return f, fmt.Errorf("look for orphans: %w", err)
		}
		listing = append(listing, info.Name)
	}
	f.doomed, f.unknown = orphans(listing, kept, dead)
	for name, err := range store.Uploads(ctx, "") {
		if err != nil {
			return findings{}, fmt.Errorf("look for unfinished uploads: %w", err)
		}
		if ref, ok := owner(name); ok && dead(ref) {
			f.uploads = append(f.uploads, name)
		}
	}
	return f, nil
}

// pause waits, and reports false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
