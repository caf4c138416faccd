package coordinator_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload/memstore"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// I1, I5: a job that checkpoints on an interval keeps the newest few and
// nothing else; a later start goes on from the newest.
func TestPeriodicCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Interval = time.Second; o.Retention.Newest = 2 })
		w, r := begin(t, store, c, 1)
		if r != nil {
			t.Fatalf("a new job starts from %+v", r)
		}
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		triggered, committed, _, _ := w.seen()
		if want := []checkpoint.ID{1, 2, 3, 4, 5}; !slices.Equal(committed, want) {
			t.Fatalf("committed %v, want %v", committed, want)
		}
		for i, b := range triggered {
			if b.Base != checkpoint.ID(i) {
				t.Errorf("checkpoint %d is based on %d", b.ID, b.Base)
			}
		}
		s := c.Status()
		if s.Completed != 5 || s.Aborted != 0 || s.Last.ID != 5 || s.Last.Sync != 2*time.Millisecond || s.Last.NewBytes == 0 || s.Last.ReusedBytes() == 0 {
			t.Errorf("status %+v, last %+v", s, s.Last)
		}
		intact(t, store)
		w.end()
		closed(t, c)
		tidy(t, store)

		c = open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 9 }) // the head's counts
		w, r = begin(t, store, c, 1)
		if r == nil || r.Checkpoint != 5 || r.Epoch != 1 || c.Epoch() != 2 {
			t.Fatalf("epoch %d restored %+v", c.Epoch(), r)
		}
		if id, err := c.Trigger(t.Context()); id != 6 || err != nil {
			t.Fatalf("checkpoint on demand: %d, %v", id, err)
		}
		infos, err := coordinator.List(t.Context(), store)
		if err != nil || len(infos) != 2 || infos[1].Kind != checkpoint.Manual || !slices.Contains(infos[1].KeptBy, "newest") || infos[1].Base != 5 {
			t.Fatalf("list %+v, %v", infos, err)
		}
		w.end()
		closed(t, c)
		intact(t, store)
		tidy(t, store)
	})
}

func TestFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Interval = time.Second })
		w, _ := begin(t, store, c, 1)
		fails := 2
		w.script = func(a checkpoint.Ack, send func()) {
			if w.mu.Lock(); fails > 0 && a.Subtask.Index == 0 {
				fails--
				w.mu.Unlock()
				c.Decline(checkpoint.Decline{Checkpoint: a.Checkpoint, Execution: a.Execution, Subtask: a.Subtask, Code: checkpoint.DeclineSnapshot, Text: "made up"})
				return
			}
			w.mu.Unlock()
			send()
		}
		if err := c.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		triggered, committed, aborted, _ := w.seen()
		if len(triggered) != 3 || triggered[2].Kind != checkpoint.Final || !slices.Equal(committed, []checkpoint.ID{3}) || aborted[1] == nil || !strings.Contains(aborted[1].Error(), "declined (snapshot): made up") {
			t.Fatalf("triggered %v, committed %v, aborted %v", triggered, committed, aborted)
		}
		time.Sleep(time.Minute) // nothing is triggered any more
		if triggered, _, _, _ := w.seen(); len(triggered) != 3 {
			t.Errorf("triggered %v after the final checkpoint", triggered)
		}
		w.end()
		closed(t, c)
		tidy(t, store)
		c = open(t, store, nil)
		r, err := c.Attach(t.Context(), jobGraph(), 1)
		if err != nil || !r.Final {
			t.Fatalf("restored %+v, %v", r, err)
		}
		closed(t, c)
	})
}

func TestOptionsValidate(t *testing.T) {
	err := coordinator.Options{Interval: -1, MinPause: -1, MaxConcurrent: -1, Timeout: -1, Retention: coordinator.RetentionPolicy{Newest: -1}, DeletesPerSecond: -1, RequestTimeout: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"Store", "Job", "Graph", "Interval", "MinPause", "MaxConcurrent", "Timeout", "Retention", "DeletesPerSecond", "RequestTimeout"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if _, err := coordinator.Open(context.Background(), coordinator.Options{}); err == nil {
		t.Error("opened without a store")
	}
}
