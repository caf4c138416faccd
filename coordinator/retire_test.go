package coordinator_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// left puts what a leader that was killed leaves: an object of its epoch that no checkpoint
// reaches.
func left(t *testing.T, store upload.Store, e checkpoint.Epoch) string {
	t.Helper()
	name := incremental.NewObjectName(e, 99, operator, 0, 1).String()
	if _, err := store.Put(t.Context(), name, upload.BodyFromBytes([]byte("left")), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// I2, I4, I5: a job that was killed for good is retired: what its last leader left is deleted,
// its checkpoints stay, and it may be started again.
func TestRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLedger(t)
		w, c := job(t, store, 4, 2)
		w.end()
		closed(t, c)
		dead := left(t, store, 1)
		swept := func(o coordinator.SweepOptions) int {
			s, err := coordinator.Sweep(t.Context(), store, o)
			if err != nil {
				t.Fatal(err)
			}
			return len(s.Orphans)
		}
		if n := swept(coordinator.SweepOptions{}); n != 0 {
			t.Fatalf("%d orphans beside a leader", n)
		}
		if n := swept(coordinator.SweepOptions{DryRun: true, AsIfRetired: true}); n != 1 {
			t.Fatalf("the plan has %d orphans", n)
		}
		if n := swept(coordinator.SweepOptions{AsIfRetired: true}); n != 0 {
			t.Fatalf("%d orphans were deleted without the lead", n)
		}
		begin := time.Now()
		h, err := coordinator.Standstill(t.Context(), store, coordinator.StandstillOptions{})
		if err != nil || time.Since(begin) < 2*time.Second {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		e, err := coordinator.EditHead(t.Context(), store, coordinator.Retire(h))
		if err != nil || e.After.Epoch != 2 || len(e.After.Retained) != len(h.Retained) || len(e.Dropped) > 0 {
			t.Fatalf("%+v, %v", e, err)
		}
		if _, err := coordinator.EditHead(t.Context(), store, coordinator.Retire(h)); !errors.Is(err, coordinator.ErrJobRuns) {
			t.Errorf("twice, as seen at first: %v", err)
		}
		if n := swept(coordinator.SweepOptions{}); n != 1 {
			t.Errorf("%d orphans", n)
		}
		if _, err := store.Head(t.Context(), dead); !errors.Is(err, upload.ErrNotExist) {
			t.Errorf("%s: %v", dead, err)
		}
		intact(t, store)
		w, c = job(t, store, 1, 2)
		w.end()
		closed(t, c)
		intact(t, store)
		tidy(t, store)
	})
}

// A job that checkpoints within its interval is not retired, nor one whose leader answers; one
// that runs and shows no sign of life is fenced, and loses nothing.
func TestRetireARunningJob(t *testing.T) { // I4
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Interval = time.Minute })
		w, _ := begin(t, store, c, 1)
		time.Sleep(150 * time.Second)
		begin, watched := time.Now(), time.Duration(0)
		_, err := coordinator.Standstill(t.Context(), store, coordinator.StandstillOptions{Watching: func(_, of time.Duration) { watched = of }})
		if !errors.Is(err, coordinator.ErrJobRuns) || time.Since(begin) > 61*time.Second || watched != 2*time.Minute {
			t.Errorf("%v after %v of %v", err, time.Since(begin), watched)
		}
		h, etag, err := coordinator.ReadHead(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		h.Leader, h.Version, h.Edit = "host:7480", h.Version+1, "test"
		b, err := coordinator.EncodeHead(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{IfMatch: etag}); err != nil {
			t.Fatal(err)
		}
		asked := ""
		_, err = coordinator.Standstill(t.Context(), store, coordinator.StandstillOptions{Answers: func(_ context.Context, address, job string) (bool, error) {
			asked = address + " " + job
			return true, nil
		}})
		if !errors.Is(err, coordinator.ErrJobRuns) || asked != "host:7480 j" {
			t.Errorf("%v of %q", err, asked)
		}
		h, _, err = coordinator.ReadHead(t.Context(), store) // as if it stood still
		if err != nil {
			t.Fatal(err)
		}
		if _, err := coordinator.EditHead(t.Context(), store, coordinator.Retire(h)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Trigger(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
			t.Errorf("the leader goes on: %v", err)
		}
		intact(t, store)
		w.end()
		_ = c.Close(context.Background()) // it was fenced
	})
}
