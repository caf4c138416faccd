package coordinator_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// I3, I17: a stop ends the attempt behind a last checkpoint, and head says so: nobody
// starts the job who was not told to.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Interval = time.Second })
		w, _ := begin(t, store, c, 1)
		time.Sleep(1500 * time.Millisecond)
		id, err := c.Stop(t.Context(), true, "upgrade")
		if err != nil || id != 2 {
			t.Fatalf("stopped at %d, %v", id, err)
		}
		time.Sleep(time.Minute)
		triggered, committed, _, failed := w.seen()
		if len(triggered) != 2 || triggered[0].Stop || !triggered[1].Stop || len(committed) != 2 {
			t.Errorf("triggered %+v, committed %v", triggered, committed)
		}
		if len(failed) != 1 || !errors.Is(failed[0], checkpoint.ErrStopped) {
			t.Errorf("the attempt ended with %v", failed)
		}
		if s := c.Status(); s.Stopped == nil || s.Stopped.Checkpoint != 2 || s.Stopped.Reason != "upgrade" || s.Last.Trigger != history.ByStop {
			t.Errorf("status %+v", s)
		}
		w.end()
		if _, err := c.Attach(t.Context(), jobGraph(), 2); !errors.Is(err, checkpoint.ErrStopped) {
			t.Errorf("attach: %v", err)
		}
		closed(t, c)
		tidy(t, store)

		if _, err := tryOpen(t, store, nil); !errors.Is(err, coordinator.ErrCannotLead) {
			t.Errorf("open: %v", err)
		}
		c = open(t, store, func(o *coordinator.Options) { o.Resume = true })
		if s := c.Status(); s.Stopped != nil || s.Resumed == nil || s.Resumed.Checkpoint != 2 {
			t.Errorf("status %+v", s)
		}
		w, r := begin(t, store, c, 1)
		if r == nil || r.Checkpoint != 2 {
			t.Errorf("restored %+v", r)
		}
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Error(err)
		}
		w.end()
		closed(t, c)
		if h, _, err := coordinator.ReadHead(t.Context(), store); err != nil || h.Stopped != nil {
			t.Errorf("head still says %+v, %v", h.Stopped, err)
		}
	})
}

// I11: a stop whose last checkpoint fails too often is told so, and the job goes on.
func TestAStopThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		store := faultstore.Wrap(mem, nil)
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		time.Sleep(time.Second)
		store.Set(faultstore.When(faultstore.OfKind(faultstore.Put), faultstore.Fault{Before: errTest}))
		if _, err := c.Stop(t.Context(), true, "upgrade"); err == nil {
			t.Error("it stopped")
		}
		store.Set(nil)
		w.end()
		w, _ = begin(t, store, c, 2)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Error(err)
		}
		if id, err := c.Stop(t.Context(), false, "no more"); err != nil || id == 0 {
			t.Errorf("cancelled at %d, %v", id, err)
		}
		if _, _, _, failed := w.seen(); len(failed) != 1 || !errors.Is(failed[0], checkpoint.ErrCancelled) {
			t.Errorf("the attempt ended with %v", failed)
		}
		w.end()
		closed(t, c)
		if h, _, err := coordinator.ReadHead(t.Context(), mem); err != nil || h.Stopped != nil {
			t.Errorf("head says %+v, %v", h.Stopped, err)
		}
		tidy(t, mem)
	})
}
