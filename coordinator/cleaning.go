package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// doomed is what is to be deleted, manifests first.
type doomed struct {
	manifests, data []string
	refs            []Ref // the checkpoints that end with it
}

// collect finds what the dropped checkpoints reach and no kept one does.
func (c *cleaner) collect(ctx context.Context, dropped []Ref) (d doomed, err error) {
	if err := c.keep(ctx, dropped); err != nil {
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
		for _, o := range c.registry.unregister(ref) {
			if o == manifestName(ref) {
				d.manifests = append(d.manifests, o)
			} else {
				d.data = append(d.data, o)
			}
		}
	}
	return d, nil
}

// keep registers the checkpoints that the newest head retains, and forgets
// those that neither it retains nor a commit dropped: a tool took them out of
// head, and a sweep finds what they alone reached.
func (c *cleaner) keep(ctx context.Context, dropped []Ref) error {
	c.mu.Lock()
	kept, queued := c.mu.kept, c.mu.dropped
	c.mu.Unlock()
	for _, ref := range kept {
		if err := c.register(ctx, ref); err != nil {
			return fmt.Errorf("find what retained checkpoint %d reaches: %w", ref.ID, err)
		}
	}
	for _, k := range slices.Clone(c.registry.keepers) {
		if !slices.Contains(kept, k.ref) && !slices.Contains(dropped, k.ref) && !slices.Contains(queued, k.ref) {
			c.registry.unregister(k.ref)
		}
	}
	return nil
}

// register learns from the stored manifest what a checkpoint reaches.
func (c *cleaner) register(ctx context.Context, ref Ref) error {
	if c.registry.has(ref) {
		return nil
	}
	if w, ok := c.takeWritten(ref); ok && c.stored(ctx, w) {
		return c.registry.register(ref, w.reach)
	}
	var m *incremental.Manifest
	err := c.request(ctx, c.limit, func(ctx context.Context) (err error) {
		m, err = incremental.ReadManifest(ctx, c.store, ref.ID, ref.Epoch)
		return err
	})
	if err == nil {
		err = m.CheckJob(c.job)
	}
	if err != nil {
		return err
	}
	return c.registry.register(ref, reach(m))
}

// stored reports whether the store is known to hold what this leader put as a
// manifest. A store that does not keep checksums is read instead.
func (c *cleaner) stored(ctx context.Context, w written) bool {
	var info upload.Info
	err := c.request(ctx, c.limit, func(ctx context.Context) (err error) {
		info, err = c.store.Head(ctx, manifestName(w.ref))
		return err
	})
	return err == nil && info.Size == w.Bytes && info.HasCRC32C && info.CRC32C == w.CRC32C
}

// sweep deletes orphans, and ends unfinished uploads of dead checkpoints.
func (c *cleaner) sweep(ctx context.Context, dead scope) {
	for more := true; more; {
		var f findings
		if !c.retry(ctx, func() (err error) {
			if err := c.keep(ctx, nil); err != nil {
				return err
			}
			return c.request(ctx, listingFactor*c.limit, func(ctx context.Context) (err error) {
				f, err = survey(ctx, c.store, c.kept, dead, maxWaiting)
				return err
			})
		}) {
			return
		}
		c.count(func(s *CleanerStatus) {
			s.Survey = f.survey(time.Now())
			s.Unknown = names(f.unknown[:min(len(f.unknown), maxUnknown)])
		})
		if len(f.unknown) > 0 {
			c.log.Warn("objects with names that are not the job's are left alone", "job", c.job, "objects", len(f.unknown), "object", f.unknown[0].Name)
		}
		if !c.delete(ctx, f.doomed()) {
			return
		}
		for _, u := range f.uploads {
			if !c.retry(ctx, func() error {
				return c.request(ctx, c.limit, func(ctx context.Context) error { return c.store.AbortUpload(ctx, u) })
			}) {
				return
			}
			c.count(func(s *CleanerStatus) { s.Uploads++ })
		}
		more = f.more
	}
}

// kept reports whether a retained checkpoint reaches the object.
func (c *cleaner) kept(object string) bool { return c.registry.keeps(object) }

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
			locked := 0
			if !c.retry(ctx, func() error {
				err := c.deleteAtOnce(ctx, round)
				// A lack of permission concerns all of them; what is locked must not keep the rest.
				if denied, ok := upload.DeniedNames(err); ok && len(denied) < len(round) {
					locked = len(denied)
					c.log.Warn("objects may not be deleted, as if they were locked: a later sweep tries again", "job", c.job, "objects", locked, "error", err)
					return nil
				}
				return err
			}) {
				c.count(func(s *CleanerStatus) { s.LeftToSweep += c.mu.deleting; c.mu.deleting = 0 })
				return false
			}
			c.count(func(s *CleanerStatus) {
				s.Deleted += len(round) - locked
				s.LeftToSweep += locked
				c.mu.deleting -= len(round)
			})
		}
	}
	return true
}

// deleteAtOnce deletes objects by several requests at a time.
func (c *cleaner) deleteAtOnce(ctx context.Context, names []string) error {
	var wg sync.WaitGroup
	errs := make([]error, (len(names)+deleteBatch-1)/deleteBatch)
	for i := range errs {
		batch := names[i*deleteBatch : min(len(names), (i+1)*deleteBatch)]
		wg.Go(func() {
			if err := c.pace.WaitN(ctx, len(batch)); err != nil {
				errs[i] = fmt.Errorf("delete %d objects: %w", len(batch), err)
				return
			}
			errs[i] = c.request(ctx, c.limit, func(ctx context.Context) error { return c.store.Delete(ctx, batch...) })
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// request bounds the time of a request to the store.
func (c *cleaner) request(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}
