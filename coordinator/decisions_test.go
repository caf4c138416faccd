package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// slow delays what a store is asked to do.
func slow(store upload.Store, k faultstore.Kind, d time.Duration) upload.Store {
	return faultstore.Wrap(store, faultstore.When(faultstore.OfKind(k), faultstore.Fault{Delay: d}))
}

// putOrphans stores objects of epoch 1, checkpoint 9.
func putOrphans(t *testing.T, store upload.Store, n int) {
	t.Helper()
	for range n {
		name := incremental.NewObjectName(1, 9, operator, 0, 1).String()
		if _, err := store.Put(t.Context(), name, upload.BodyFromBytes([]byte("x")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// I2: while a coordinator closes, nothing begins; so its last sweep knows all
// that is committed.
func TestNothingBeginsWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		c := open(t, slow(mem, faultstore.List, 15*time.Second), nil)
		w, _ := begin(t, mem, c, 1)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		closing := make(chan error, 1)
		go func() { closing <- c.Close(context.Background()) }()
		time.Sleep(10 * time.Second)
		if _, err := c.Attach(t.Context(), jobGraph(), 2); !errors.Is(err, coordinator.ErrClosed) {
			t.Errorf("attach: %v", err)
		}
		if _, err := c.Trigger(t.Context()); !errors.Is(err, coordinator.ErrClosed) {
			t.Errorf("trigger: %v", err)
		}
		if err := c.Finish(t.Context()); err == nil {
			t.Error("finish began")
		}
		if err := <-closing; err != nil {
			t.Error(err)
		}
		if _, committed, _, _ := w.seen(); !slices.Equal(committed, []checkpoint.ID{1}) {
			t.Errorf("committed %v", committed)
		}
		intact(t, mem)
		tidy(t, mem)
	})
}

// I5: what aborted checkpoints uploaded and nobody reported is swept within
// the epoch, while checkpoints go on.
func TestUnreportedUploadsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Timeout, o.TolerableFailures = 5*time.Second, -1 })
		w := newCrew(t, store, c, 1, nil)
		if _, err := c.Attach(t.Context(), jobGraph(), 1); err != nil {
			t.Fatal(err)
		}
		w.script = func(a checkpoint.Ack, send func()) {
			if a.Checkpoint > 17 || a.Subtask.Index == 0 { // the other one's upload is reported by nobody
				send()
			}
		}
		c.Start(w.execution(), w)
		for range 17 {
			if _, err := c.Trigger(t.Context()); err == nil {
				t.Fatal("a checkpoint without all acknowledgements was committed")
			}
		}
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		intact(t, store)
		tidy(t, store)
		w.end()
		closed(t, c)
	})
}

// I4, I17: a start that does not fit the job changes nothing, and the running
// one goes on.
func TestWrongJobChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the history is written beside
		head, etag, err := coordinator.ReadHead(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		before := store.Names()
		for name, wrong := range map[string]struct {
			change func(*coordinator.Options)
			want   error
		}{
			"graph":   {func(o *coordinator.Options) { o.Graph.Operators[0].Key = "string" }, checkpoint.ErrGraphMismatch},
			"job":     {func(o *coordinator.Options) { o.Job = "k" }, incremental.ErrWrongJob},
			"backend": {func(o *coordinator.Options) { o.Backend = backend; o.Backend.Version = "7.7.3" }, incremental.ErrCannotRestore},
			"restore": {func(o *coordinator.Options) { o.Restore = coordinator.RestoreID(9) }, coordinator.ErrNotRetained},
		} {
			if _, err := tryOpen(t, store, wrong.change); !errors.Is(err, wrong.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if now, is, err := coordinator.ReadHead(t.Context(), store); err != nil || is != etag || now.Epoch != head.Epoch {
			t.Errorf("head is %+v, %v", now, err)
		}
		if after := store.Names(); !slices.Equal(before, after) {
			t.Errorf("objects were %v, and are %v", before, after)
		}
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Errorf("the running one: %v", err)
		}
		w.end()
		closed(t, c)
		young := memstore.New() // a head without a checkpoint
		closed(t, open(t, young, nil))
		if _, err := tryOpen(t, young, func(o *coordinator.Options) { o.Job = "k" }); !errors.Is(err, incremental.ErrWrongJob) {
			t.Errorf("another job, without a checkpoint: %v", err)
		}
		if h, _, err := coordinator.ReadHead(t.Context(), young); err != nil || h.Epoch != 1 {
			t.Errorf("its head is %+v, %v", h, err)
		}
		renamed := func(o *coordinator.Options) { o.Graph.Operators[0].ID = "renamed" }
		if _, err := tryOpen(t, store, renamed); !errors.Is(err, checkpoint.ErrGraphMismatch) {
			t.Errorf("without an operator of the checkpoint: %v", err)
		}
		dropped := open(t, store, func(o *coordinator.Options) {
			o.Drop = []checkpoint.Drop{{Operator: o.Graph.Operators[0].ID}}
			renamed(o)
		})
		closed(t, dropped)
	})
}

// edit changes head as a tool does.
func edit(t *testing.T, store upload.Store, change func(*coordinator.Head)) {
	t.Helper()
	h, etag, err := coordinator.ReadHead(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	h.Version++
	h.Edit = fmt.Sprintf("tool-%d", h.Version)
	change(&h)
	b, err := coordinator.EncodeHead(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{IfMatch: etag}); err != nil {
		t.Fatal(err)
	}
}

// I2: a tool that edits head beside a leader costs no checkpoint, and what it
// pins is kept until it takes the pin away.
func TestToolEditsHeadBesideALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 1; o.TolerableFailures = 0 })
		w, _ := begin(t, store, c, 1)
		trigger := func() {
			t.Helper()
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		retained := func(want ...checkpoint.ID) {
			t.Helper()
			h, _, err := coordinator.ReadHead(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			var got []checkpoint.ID
			for _, r := range h.Retained {
				got = append(got, r.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("retained %v, want %v", got, want)
			}
			intact(t, store)
		}
		trigger()
		edit(t, store, func(h *coordinator.Head) {
			h.Pins = []coordinator.Pin{{Name: "release", Checkpoint: 1, Reason: "test", Made: time.Now().UTC()}}
		})
		trigger()
		trigger()
		retained(1, 3)
		edit(t, store, func(h *coordinator.Head) { h.Pins = nil })
		edit(t, store, func(h *coordinator.Head) {
			h.Tags = []coordinator.Tag{{Name: "daily", Checkpoint: 3, Reason: "test", Made: time.Now().UTC()}}
		})
		trigger()
		trigger()
		retained(3, 5)
		time.Sleep(time.Minute)
		tidy(t, store)
		if s := c.Status(); s.Aborted != 0 || s.Completed != 5 {
			t.Errorf("status %+v", s)
		}
		w.end()
		closed(t, c)
		tidy(t, store)
	})
}

// I11: a commit in doubt says so again and again, nothing is deleted on its
// account, and it is committed once the store answers.
func TestCommitInDoubtAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memstore.New(), nil)
		var alarms []coordinator.Alarm
		c := open(t, store, func(o *coordinator.Options) {
			o.TolerableFailures = -1
			o.Listener.Alarm = func(a coordinator.Alarm) { alarms = append(alarms, a) }
		})
		w, _ := begin(t, store, c, 1)
		onHead := func(op faultstore.Op) bool { return op.Kind == faultstore.Put && op.Name == incremental.HeadName }
		first := true
		store.Set(faultstore.InjectorFunc(func(op faultstore.Op) faultstore.Fault {
			switch {
			case !onHead(op):
				return faultstore.Fault{}
			case first: // its fate is not known, so that a denial proves nothing any more
				first = false
				return faultstore.Fault{Before: errTest}
			}
			return faultstore.Fault{Before: upload.ErrDenied}
		}))
		result := make(chan error, 1)
		start := time.Now()
		go func() { _, err := c.Trigger(context.Background()); result <- err }()
		time.Sleep(34 * time.Minute)
		s := c.Status()
		if len(s.Pending) != 1 || !s.Pending[0].InDoubtSince.Equal(start) || s.Cleaner.Deleted != 0 {
			t.Errorf("status %+v", s)
		}
		i := slices.IndexFunc(s.Alarms, func(a coordinator.Alarm) bool { return a.Code == coordinator.CommitInDoubt })
		if i < 0 || !strings.Contains(s.Alarms[i].Text, "checkpoint 1") {
			t.Errorf("alarms %v", s.Alarms)
		}
		store.Set(nil)
		if err := <-result; err != nil {
			t.Error(err)
		}
		told := map[bool]int{}
		for _, a := range alarms {
			if a.Code == coordinator.CommitInDoubt {
				told[a.Cleared]++
			}
		}
		if told[false] != 4 || told[true] != 1 { // after 1, 11, 21 and 31 minutes
			t.Errorf("alarms %v", alarms)
		}
		if s := c.Status(); len(s.Alarms) != 0 {
			t.Errorf("alarms that go on: %v", s.Alarms)
		}
		w.end()
		closed(t, c)
	})
}

// I1, I2, I4: what a head asks for that this program does not do keeps it from
// leading, and changes nothing.
func TestHeadOfANewerProgramIsRefused(t *testing.T) {
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		change  func(*coordinator.Head)
		restore coordinator.Restore
		says    string // empty: it leads
	}{
		"stopped": {change: func(h *coordinator.Head) {
			h.Stopped = &coordinator.Stopped{Checkpoint: 1, Reason: "for the weekend", Made: now}
		}, says: "for the weekend"},
		"policy": {change: func(h *coordinator.Head) {
			h.Policy = &coordinator.RetentionPolicy{Newest: 9, OnCancel: coordinator.SurviveAll, OnFinish: coordinator.SurviveNone}
		}, says: "keeps nothing of a finished job"},
		"restore": {change: func(h *coordinator.Head) {
			h.Restore = &coordinator.AppliedRestore{Request: "1", Epoch: 1, Made: now}
		}, restore: coordinator.RestoreID(1), says: "restore"},
		"restore of the latest": {change: func(h *coordinator.Head) {
			h.Restore = &coordinator.AppliedRestore{Request: "1", Epoch: 1, Made: now}
		}},
		"history": {change: func(h *coordinator.Head) { h.History = &coordinator.ObjectRef{Name: "history/1-1"} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				c1 := open(t, store, nil)
				w, _ := begin(t, store, c1, 1)
				if _, err := c1.Trigger(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.end()
				closed(t, c1)
				edit(t, store, c.change)
				_, before, err := coordinator.ReadHead(t.Context(), store)
				if err != nil {
					t.Fatal(err)
				}
				c2, err := tryOpen(t, store, func(o *coordinator.Options) { o.Restore = c.restore })
				if c.says == "" {
					if err != nil {
						t.Fatal(err)
					}
					closed(t, c2)
					return
				}
				if !errors.Is(err, coordinator.ErrCannotLead) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("it leads, or says %v", err)
				}
				if _, now, err := coordinator.ReadHead(t.Context(), store); err != nil || now != before {
					t.Errorf("head was changed: %v", err)
				}
			})
		})
	}
}

// I2: a pin and a tag keep a checkpoint until they end, and then no more.
func TestPinsAndTagsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 1 })
		w, _ := begin(t, store, c, 1)
		retained := func(want ...checkpoint.ID) {
			t.Helper()
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
			h, _, err := coordinator.ReadHead(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			var got []checkpoint.ID
			for _, r := range h.Retained {
				got = append(got, r.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("retained %v, want %v; pins %v, tags %v", got, want, h.Pins, h.Tags)
			}
		}
		retained(1)
		now := time.Now().UTC()
		edit(t, store, func(h *coordinator.Head) {
			h.Pins = []coordinator.Pin{{Name: "hour", Checkpoint: 1, Made: now, Until: now.Add(time.Hour)}}
		})
		retained(1, 2)
		edit(t, store, func(h *coordinator.Head) {
			h.Tags = []coordinator.Tag{{Name: "day", Checkpoint: 2, Made: now, Until: now.Add(24 * time.Hour)}}
		})
		retained(1, 2, 3)
		time.Sleep(time.Hour)
		retained(2, 4)
		time.Sleep(23 * time.Hour)
		retained(5)
		w.end()
		closed(t, c)
		tidy(t, store)
	})
}

// I5, I10: two claims of one job keep two checkpoints, and what they keep is
// known.
func TestTwoClaimsOfOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 1 })
		w, _ := begin(t, store, c, 1)
		for id := range checkpoint.ID(3) {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
			edit(t, store, func(h *coordinator.Head) {
				h.Claims = append(h.Claims, coordinator.Claim{Job: "fork", Checkpoint: id + 1, Mode: coordinator.ClaimShare, Made: time.Now().UTC()})
			})
		}
		w.end()
		closed(t, c)
		reachable, err := coordinator.Reachable(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		for id := range checkpoint.ID(3) {
			if by := reachable[incremental.ManifestName(id+1, 1)]; !slices.Equal(by, []string{(id + 1).String(), "claim:fork"}) {
				t.Errorf("checkpoint %d is kept by %v", id+1, by)
			}
		}
		if _, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{}); err != nil {
			t.Error(err)
		}
		intact(t, store)
		tidy(t, store)
	})
}

// I2, I5: what a tool drops from head beside a leader is deleted by the leader's
// next sweep, and what it left there is not.
func TestWhatAToolDropsIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		for range 3 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(61 * time.Minute) // a sweep registers all three
		edit(t, store, func(h *coordinator.Head) { h.Retained = h.Retained[1:] })
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // at once, and not with the next hour's sweep
		intact(t, store)
		tidy(t, store)
		w.end()
		closed(t, c)
	})
}

// I3: an attempt that runs while its coordinator closes is told, and fails: it
// would run on without checkpoints.
func TestCloseFailsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		closed(t, c)
		if _, _, _, failed := w.seen(); len(failed) != 1 || !errors.Is(failed[0], coordinator.ErrClosed) {
			t.Errorf("the attempt was told %v", failed)
		}
		c = open(t, store, nil)
		w, _ = begin(t, store, c, 1)
		w.end()
		closed(t, c)
		if _, _, _, failed := w.seen(); len(failed) != 0 {
			t.Errorf("an attempt that had ended was told %v", failed)
		}
	})
}

// I1, I11: a swap of head that the store denies although it applied it is a
// commit.
func TestDeniedAlthoughApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memstore.New(), nil)
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		store.Set(faultstore.Times(1, faultstore.When(func(op faultstore.Op) bool {
			return op.Kind == faultstore.Put && op.Name == incremental.HeadName
		}, faultstore.Fault{After: upload.ErrDenied})))
		if id, err := c.Trigger(t.Context()); id != 1 || err != nil {
			t.Errorf("%d, %v", id, err)
		}
		time.Sleep(time.Minute)
		intact(t, store)
		w.end()
		closed(t, c)
		tidy(t, store)
	})
}

// I11: a swap of head that the store denies at the first try was not applied:
// the checkpoint aborts at once, and the next one is tried.
func TestDeniedCommitAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memstore.New(), nil)
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		store.Set(faultstore.Times(1, faultstore.When(func(op faultstore.Op) bool {
			return op.Kind == faultstore.Put && op.Name == incremental.HeadName
		}, faultstore.Fault{Before: upload.ErrDenied})))
		start := time.Now()
		if _, err := c.Trigger(t.Context()); !errors.Is(err, upload.ErrDenied) || time.Since(start) > 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if id, err := c.Trigger(t.Context()); err != nil || id != 2 {
			t.Errorf("%d, %v", id, err)
		}
		w.end()
		closed(t, c)
		tidy(t, store)
	})
}

// I12: what is left to delete is no failure of a job that finished, and is
// counted; deletion itself is as fast as it may be, whatever one request takes.
func TestDeletionIsFastAndNeverAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		store := slow(mem, faultstore.Delete, 100*time.Millisecond)
		closed(t, open(t, store, nil)) // epoch 1
		putOrphans(t, mem, 20_000)
		c := open(t, store, func(o *coordinator.Options) { o.DeletesPerSecond = 100 })
		w, _ := begin(t, store, c, 1)
		if err := c.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if s := c.Status().Cleaner; s.Deleted == 0 || s.Waiting+s.LeftToSweep == 0 {
			t.Errorf("cleaner %+v", s)
		}
		intact(t, mem)

		c = open(t, store, func(o *coordinator.Options) { o.DeletesPerSecond = 10_000 })
		w, _ = begin(t, store, c, 1)
		start := time.Now()
		w.end()
		closed(t, c)
		deleted := c.Status().Cleaner.Deleted
		if rate := float64(deleted) / time.Since(start).Seconds(); deleted < 10_000 || rate < 1000 {
			t.Errorf("%d deleted, %.0f a second", deleted, rate)
		}
		tidy(t, mem)
	})
}
