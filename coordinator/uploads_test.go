package coordinator_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// uploading is a store with unfinished multipart uploads.
type uploading struct {
	upload.Store
	mu      sync.Mutex
	uploads []string
}

func (s *uploading) Uploads(context.Context, string) iter.Seq2[string, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.uploads)
	return func(yield func(string, error) bool) {
		for _, u := range all {
			if !yield(u, nil) {
				return
			}
		}
	}
}

func (s *uploading) AbortUpload(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.uploads, name) {
		return fmt.Errorf("abort upload %s: %w", name, upload.ErrNotExist)
	}
	s.uploads = slices.DeleteFunc(s.uploads, func(u string) bool { return u == name })
	return nil
}

// I5, I6: sweeps end the unfinished uploads of dead checkpoints alone. Those of a
// checkpoint that is pending, of a later one or of a stranger can still be
// completed, and are not counted.
func TestSweepEndsUploadsOfDeadCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &uploading{Store: memstore.New()}
		closed(t, open(t, store, nil)) // epoch 1
		c := open(t, store, func(o *coordinator.Options) { o.Timeout, o.TolerableFailures, o.MaxConcurrent = 3*time.Hour, -1, 2 })
		w := newCrew(t, store, c, 1, nil)
		if _, err := c.Attach(t.Context(), jobGraph(), 1); err != nil {
			t.Fatal(err)
		}
		name := func(e checkpoint.Epoch, id checkpoint.ID) string {
			return incremental.NewObjectName(e, id, operator, 0, 1).String()
		}
		dead, aborted := name(1, 9), name(2, 1)
		spared := []string{name(2, 2), name(2, 3), name(3, 1), "data/of/a/stranger"}
		store.uploads = append([]string{dead, aborted}, spared...)

		for _, dry := range []bool{true, false} {
			s, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{DryRun: dry})
			if err != nil || !slices.Equal(s.Uploads, []string{dead}) || slices.Contains(store.uploads, dead) != dry {
				t.Errorf("dry %v: swept %+v, %v; left %v", dry, s, err, store.uploads)
			}
		}

		w.script = func(a checkpoint.Ack, send func()) {
			if a.Checkpoint == 2 {
				time.Sleep(150 * time.Minute)
			}
			if a.Checkpoint == 1 {
				c.Decline(checkpoint.Decline{Checkpoint: 1, Execution: a.Execution, Subtask: a.Subtask, Code: checkpoint.DeclinePersist, Text: "no"})
				return
			}
			send()
		}
		c.Start(w.execution(), w)
		if _, err := c.Trigger(t.Context()); err == nil {
			t.Fatal("a declined checkpoint was committed")
		}
		second := make(chan error, 1)
		go func() { _, err := c.Trigger(t.Context()); second <- err }()
		time.Sleep(time.Hour)
		if s := c.Status(); len(s.Pending) != 1 || s.Cleaner.Uploads != 1 || !slices.Equal(store.uploads, spared) {
			t.Errorf("pending %v, cleaner %+v, left %v", s.Pending, s.Cleaner, store.uploads)
		}
		time.Sleep(time.Hour) // a sweep with nothing to end
		if s := c.Status(); s.Cleaner.Uploads != 1 || !slices.Equal(store.uploads, spared) {
			t.Errorf("cleaner %+v, left %v", s.Cleaner, store.uploads)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		w.end()
		closed(t, c)
	})
}

// I5: a manifest whose PUT failed although it was applied goes with its
// checkpoint, without a sweep.
func TestFailedManifestIsDeletedWithItsCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		store := faultstore.Wrap(mem, nil)
		c := open(t, store, func(o *coordinator.Options) { o.TolerableFailures = -1 })
		w, _ := begin(t, store, c, 1)
		time.Sleep(time.Minute) // after the first sweep
		name := incremental.ManifestName(1, 1)
		store.Set(faultstore.When(func(op faultstore.Op) bool { return op.Kind == faultstore.Put && op.Name == name }, faultstore.Fault{After: errTest}))
		if _, err := c.Trigger(t.Context()); err == nil {
			t.Fatal("a checkpoint without a manifest was committed")
		}
		if s := c.Status(); store.Injected() == 0 || s.Failed != 1 || s.ConsecutiveFailures != 1 {
			t.Errorf("%d PUTs were made to fail; status %+v", store.Injected(), s)
		}
		time.Sleep(sweepAfterAbort / 2)
		if names := mem.Names(); !slices.Equal(names, []string{incremental.HeadName, "history/1-1"}) {
			t.Errorf("left: %v", names)
		}
		if id, err := c.Trigger(t.Context()); id != 2 || err != nil {
			t.Errorf("%d, %v", id, err)
		}
		w.end()
		closed(t, c)
		tidy(t, mem)
	})
}

// sweepAfterAbort is how long the coordinator waits until it looks for what an
// aborted checkpoint left.
const sweepAfterAbort = 10 * time.Minute
