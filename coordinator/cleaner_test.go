package coordinator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// I2, I5: a manifest goes before the data that it names, so that a crash
// between leaves orphans and no broken checkpoint; deletes that fail are tried
// again and hold up no checkpoint.
func TestManifestIsDeletedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memstore.New(), nil)
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 1 })
		w, _ := begin(t, store, c, 1)
		store.Set(faultstore.Times(2, faultstore.When(func(op faultstore.Op) bool {
			return op.Kind == faultstore.Delete && !strings.HasPrefix(op.Name, history.Prefix)
		}, faultstore.Fault{Before: errTest})))
		start := time.Now()
		for range 6 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(start) > 0 {
			t.Errorf("failing deletes held up checkpoints for %v", time.Since(start))
		}
		w.end()
		closed(t, c)
		if s := c.Status().Cleaner; s.Failures != 2 || s.Deleted == 0 || s.Deleted != s.Doomed || s.Waiting != 0 {
			t.Errorf("cleaner %+v", s)
		}
		tidy(t, store)

		// Data outlives a manifest that cannot be deleted. Deletion waits, says so,
		// and goes on by itself.
		var alarms []coordinator.Alarm
		c = open(t, store, func(o *coordinator.Options) {
			o.Retention.Newest = 1
			o.Listener.Alarm = func(a coordinator.Alarm) { alarms = append(alarms, a) }
		})
		w, _ = begin(t, store, c, 1)
		time.Sleep(time.Minute)
		before := len(store.History())
		store.Set(faultstore.When(func(op faultstore.Op) bool {
			return op.Kind == faultstore.Delete && strings.HasPrefix(op.Name, incremental.ManifestPrefix)
		}, faultstore.Fault{Before: upload.ErrDenied}))
		for range 6 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(25 * time.Minute)
		for _, op := range store.History()[before:] {
			if op.Kind == faultstore.Delete && strings.HasPrefix(op.Name, incremental.DataPrefix) {
				t.Errorf("%s was deleted although its manifest is there", op.Name)
			}
		}
		if s := c.Status(); s.Cleaner.Waiting == 0 || !errors.Is(s.Cleaner.Paused, upload.ErrDenied) || len(s.Alarms) != 1 || s.Alarms[0].Code != coordinator.DeletionPaused {
			t.Errorf("status %+v", s)
		}
		store.Set(nil)
		time.Sleep(2 * time.Minute)
		if s := c.Status(); s.Cleaner.Waiting != 0 || s.Cleaner.Paused != nil || len(s.Alarms) != 0 {
			t.Errorf("status %+v", s)
		}
		if len(alarms) != 4 || alarms[0].Cleared || alarms[2].Cleared || !alarms[3].Cleared { // at once, twice again, over
			t.Errorf("alarms %v", alarms)
		}
		tidy(t, store)
		w.end()
		closed(t, c)
		tidy(t, store)
	})
}

// I10: a listing that fails is no reason to delete. Deletion waits until it
// succeeds; what is left at the end is no error, and counted.
func TestFailedListingPausesDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		store := faultstore.Wrap(mem, nil)
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
		closed(t, c)
		orphan := incremental.NewObjectName(1, 9, operator, 0, 1).String()
		if _, err := mem.Put(t.Context(), orphan, upload.BodyFromBytes([]byte("x")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		store.Set(faultstore.When(faultstore.OfKind(faultstore.List), faultstore.Fault{After: errTest}))
		c = open(t, store, nil)
		w, _ = begin(t, store, c, 1)
		time.Sleep(2 * time.Minute)
		if s := c.Status(); s.Cleaner.Paused == nil || !s.Cleaner.Sweeping || len(s.Alarms) != 1 || s.Cleaner.Deleted != 0 {
			t.Errorf("status %+v", s)
		}
		if !slices.Contains(mem.Names(), orphan) {
			t.Error("the orphan was deleted on half a listing")
		}
		w.end()
		closed(t, c)
		if s := c.Status().Cleaner; s.Paused == nil {
			t.Errorf("cleaner %+v", s)
		}
		store.Set(nil)
		c = open(t, store, nil)
		w, _ = begin(t, store, c, 1)
		w.end()
		closed(t, c)
		tidy(t, mem)
	})
}

// I4: of coordinators that start at once, each that opens leads an epoch of
// its own, and only the last may commit.
func TestManyStartAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		opened := make(chan *coordinator.Coordinator, 4)
		for range 4 {
			go func() {
				c, err := tryOpen(t, store, nil)
				if err != nil {
					t.Error(err)
				}
				opened <- c
			}()
		}
		epochs := map[uint64]bool{}
		for range 4 {
			c := <-opened
			if c == nil {
				continue
			}
			if e := uint64(c.Epoch()); epochs[e] {
				t.Errorf("two lead epoch %d", e)
			} else {
				epochs[e] = true
			}
			closed(t, c)
		}
	})
}
