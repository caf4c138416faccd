package coordinator_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
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

// I1, I3, I5, I6, I11: whatever single request of a job fails, before or after
// it is applied, or is applied late or twice, the job goes on, checkpoints go
// on, and nothing is lost or left.
func TestAnySingleFault(t *testing.T) {
	for name, f := range map[string]faultstore.Fault{
		"before": {Before: errTest}, "after": {After: errTest}, "late": {Late: errTest}, "twice": {Twice: true},
		"hang":   {Hang: true},
		"denied": {Before: upload.ErrDenied}, "denied after": {After: upload.ErrDenied},
		"no space": {Before: upload.ErrNoSpace}, "no space after": {After: upload.ErrNoSpace},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 0; ; i++ {
				injected := true
				synctest.Test(t, func(t *testing.T) { injected = oneFault(t, i, f) })
				if !injected || t.Failed() {
					break
				}
			}
		})
	}
}

func oneFault(t *testing.T, index int, f faultstore.Fault) (injected bool) {
	mem := memstore.New()
	store := faultstore.Wrap(mem, faultstore.OnIndex(index, f))
	change := func(o *coordinator.Options) {
		o.Interval = time.Second
		o.Retention.Newest = 2
		o.RequestTimeout = 2 * time.Second
	}
	c, err := tryOpen(t, store, change)
	if err != nil { // the fault met the start: the next one must do
		store.ApplyLate(context.Background())
		c = open(t, store, change)
	}
	attempt := checkpoint.Attempt(1)
	r, err := c.Attach(t.Context(), jobGraph(), attempt)
	if err != nil {
		attempt++
		if r, err = c.Attach(t.Context(), jobGraph(), attempt); err != nil {
			t.Fatalf("request %d: %v", index, err)
		}
	}
	w := newCrew(t, store, c, attempt, r)
	c.Start(w.execution(), w)
	time.Sleep(3500 * time.Millisecond)
	store.ApplyLate(context.Background())
	intact(t, mem)
	time.Sleep(15 * time.Second)
	synctest.Wait()
	intact(t, mem)
	if s := c.Status(); s.Last == nil || time.Since(s.Last.Triggered) > 5*time.Second || s.Fenced != nil {
		t.Errorf("request %d: checkpoints do not go on: %+v", index, s)
	}
	if _, _, _, failed := w.seen(); len(failed) > 0 {
		t.Errorf("request %d: the attempt failed: %v", index, failed)
	}
	w.end()
	injected = store.Injected() > 0
	if err := c.Close(context.Background()); err != nil {
		t.Logf("request %d: close: %v", index, err)
	}
	store.Set(nil)
	// One more start sweeps whatever was left.
	c = open(t, store, nil)
	w, r = begin(t, store, c, 1)
	if r == nil {
		t.Fatalf("request %d: nothing to restore", index)
	}
	w.end()
	closed(t, c)
	intact(t, mem)
	tidy(t, mem)
	return injected && store.Ops() > index && index < 40 // by then a whole life has been gone through several times
}

// I4: of two coordinators the older one commits nothing once the newer leads,
// and stops for good.
func TestFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		old := open(t, store, nil)
		w, _ := begin(t, store, old, 1)
		if _, err := old.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := open(t, store, nil)
		w2, r := begin(t, store, c, 1)
		if r == nil || r.Checkpoint != 1 {
			t.Fatalf("restored %+v", r)
		}
		if _, err := old.Trigger(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
			t.Fatalf("the fenced one: %v", err)
		}
		synctest.Wait()
		if _, _, _, failed := w.seen(); len(failed) != 1 || !errors.Is(failed[0], checkpoint.ErrFenced) {
			t.Errorf("its attempt was told %v", failed)
		}
		w.end()
		if _, err := old.Attach(t.Context(), jobGraph(), 2); !errors.Is(err, checkpoint.ErrFenced) {
			t.Errorf("attach to the fenced one: %v", err)
		}
		closed(t, old)
		if id, err := c.Trigger(t.Context()); err != nil || id != 2 {
			t.Fatalf("%d, %v", id, err)
		}
		w2.end()
		closed(t, c)
		intact(t, store)
		tidy(t, store) // the old one's last objects too
	})
}

// I6: acknowledgements that are dropped, late, doubled and out of order lose
// nothing.
func TestUnreliableAcknowledgements(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			store := memstore.New()
			c := open(t, store, func(o *coordinator.Options) {
				o.Interval, o.Timeout, o.MaxConcurrent, o.Retention.Newest, o.TolerableFailures = time.Second, 4*time.Second, 3, 2, -1
			})
			w := newCrew(t, store, c, 1, nil)
			if _, err := c.Attach(t.Context(), jobGraph(), 1); err != nil {
				t.Fatal(err)
			}
			w.script = func(_ checkpoint.Ack, send func()) {
				mu.Lock()
				delay, fate := time.Duration(r.IntN(6000))*time.Millisecond, r.IntN(5)
				mu.Unlock()
				if fate == 0 {
					return
				}
				time.Sleep(delay)
				send()
				if fate == 1 {
					time.Sleep(delay)
					send()
				}
			}
			c.Start(w.execution(), w)
			for range 20 {
				time.Sleep(3 * time.Second)
				intact(t, store)
			}
			s := c.Status()
			if s.Completed == 0 || s.Aborted == 0 {
				t.Errorf("seed %d: %d completed, %d aborted: nothing was tried", seed, s.Completed, s.Aborted)
			}
			w.end()
			closed(t, c)
			intact(t, store)
			tidy(t, store)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

func TestRestoreChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		for range 5 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.end()
		closed(t, c)

		before := store.Names()
		if _, err := tryOpen(t, store, func(o *coordinator.Options) { o.Restore = coordinator.RestoreID(2) }); !errors.Is(err, coordinator.ErrNotRetained) || !strings.Contains(err.Error(), "3, 4, 5") {
			t.Errorf("restore of what is not retained: %v", err)
		}
		if after := store.Names(); !slices.Equal(before, after) {
			t.Errorf("objects were %v, and are %v", before, after)
		}

		c = open(t, store, func(o *coordinator.Options) { o.Restore = coordinator.RestoreID(4) })
		w, r := begin(t, store, c, 1)
		if r == nil || r.Checkpoint != 4 {
			t.Fatalf("restored %+v", r)
		}
		w.end()
		w, r = begin(t, store, c, 2) // nothing was committed since: the choice holds
		if r == nil || r.Checkpoint != 4 {
			t.Fatalf("restored %+v", r)
		}
		if id, err := c.Trigger(t.Context()); err != nil || id != 6 {
			t.Fatalf("%d, %v", id, err)
		}
		if triggered, _, _, _ := w.seen(); triggered[0].Base != 4 {
			t.Errorf("base %d, want what was restored", triggered[0].Base)
		}
		w.end()
		w, r = begin(t, store, c, 3)
		if r == nil || r.Checkpoint != 6 {
			t.Fatalf("restored %+v", r)
		}
		w.end()
		closed(t, c)
		intact(t, store)

		c = open(t, store, func(o *coordinator.Options) { o.Restore = coordinator.RestoreNone() })
		w, r = begin(t, store, c, 1)
		if id, err := c.Trigger(t.Context()); r != nil || err != nil || id != 7 {
			t.Fatalf("restored %+v, then %d, %v", r, id, err)
		}
		if triggered, _, _, _ := w.seen(); triggered[0].Base != 0 {
			t.Errorf("base %d of an empty start", triggered[0].Base)
		}
		w.end()
		closed(t, c)
		intact(t, store)
		tidy(t, store)
	})
}

// I10: what cannot be read is refused with its name, and nothing is deleted.
func TestUnreadable(t *testing.T) {
	for name, damage := range map[string]func(*memstore.Store){
		"manifest flipped": func(s *memstore.Store) {
			s.Damage("manifests/3-1", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		},
		"manifest missing":   func(s *memstore.Store) { _ = s.Delete(context.Background(), "manifests/3-1") },
		"head flipped":       func(s *memstore.Store) { s.Damage("head", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"head missing":       func(s *memstore.Store) { _ = s.Delete(context.Background(), "head") },
		"manifest truncated": func(s *memstore.Store) { s.Damage("manifests/3-1", func(b []byte) []byte { return b[:9] }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				c := open(t, store, nil)
				w, _ := begin(t, store, c, 1)
				for range 3 {
					if _, err := c.Trigger(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				w.end()
				closed(t, c)
				damage(store)
				before := store.Names()
				c, err := tryOpen(t, store, nil)
				if err == nil {
					_, err = c.Attach(t.Context(), jobGraph(), 1)
					closed(t, c)
				}
				what, _, _ := strings.Cut(name, " ")
				if err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("error %v does not name the %s", err, what)
				}
				if strings.HasPrefix(name, "head missing") && !errors.Is(err, coordinator.ErrHeadMissing) || strings.HasPrefix(name, "head flipped") && !errors.Is(err, coordinator.ErrHeadFormat) && !errors.Is(err, upload.ErrCorrupt) {
					t.Errorf("error %v", err)
				}
				if _, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{}); err == nil {
					t.Error("a sweep did not mind")
				}
				if after := store.Names(); !slices.Equal(before, after) {
					t.Errorf("objects were %v, and are %v", before, after)
				}
			})
		})
	}
}

// I2, I10: a manifest that is damaged or gone, of a checkpoint that is retained,
// halts all deletion, loudly. Checkpoints go on. A sweep finds it of an earlier
// leader, the collection after a commit of this one.
func TestDeletionHaltsOnUnreadableManifest(t *testing.T) {
	damaged := func(store *memstore.Store, name string) {
		store.Damage(name, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	}
	gone := func(store *memstore.Store, name string) {
		if err := store.Delete(context.Background(), name); err != nil {
			panic(err)
		}
	}
	for name, c := range map[string]struct {
		spoil   func(*memstore.Store, string)
		earlier bool
	}{
		"damaged, of an earlier leader": {damaged, true},
		"gone, of an earlier leader":    {gone, true},
		"gone, of this leader":          {gone, false},
	} {
		t.Run(name, func(t *testing.T) {
			spoil, earlier := c.spoil, c.earlier
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				var alarms []coordinator.Alarm
				spoilt := checkpoint.ID(4)
				if earlier {
					spoilt = 0
				}
				options := func(o *coordinator.Options) {
					o.Retention.Newest = 2
					o.Listener.Alarm = func(a coordinator.Alarm) { alarms = append(alarms, a) }
					o.Listener.Ended = func(r coordinator.Report) {
						if r.ID == spoilt {
							spoil(store, incremental.ManifestName(r.ID, r.Epoch))
						}
					}
				}
				c := open(t, store, options)
				w, _ := begin(t, store, c, 1)
				trigger := func() {
					if _, err := c.Trigger(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
				}
				for range 3 {
					trigger()
				}
				if earlier {
					w.end()
					closed(t, c)
					spoil(store, "manifests/2-1")
					c = open(t, store, options)
					w, _ = begin(t, store, c, 1)
					time.Sleep(time.Minute) // the first sweep reads what is retained
				}
				deleted := c.Status().Cleaner.Deleted
				for range 3 {
					trigger()
				}
				time.Sleep(2 * time.Hour)
				s := c.Status()
				if s.Cleaner.Halted == nil || s.Cleaner.Deleted != deleted || len(s.Alarms) != 1 || s.Alarms[0].Code != coordinator.DeletionHalted || len(alarms) == 0 {
					t.Errorf("status %+v, alarms %v", s.Cleaner, alarms)
				}
				if _, committed, _, failed := w.seen(); len(committed) < 3 || len(failed) > 0 {
					t.Errorf("committed %v, failed %v", committed, failed)
				}
				w.end()
				closed(t, c)
			})
		})
	}
}

func named(objects []upload.Info) (all []string) {
	for _, o := range objects {
		all = append(all, o.Name)
	}
	return all
}

// I5: a sweep finds what dead epochs left, and touches nothing else.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, nil)
		w, _ := begin(t, store, c, 1)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		put := func(name string) string {
			if _, err := store.Put(t.Context(), name, upload.BodyFromBytes([]byte("x")), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			return name
		}
		w.end()
		closed(t, c)
		c = open(t, store, nil) // epoch 2, and no attempt: it sweeps nothing itself
		dead := put(incremental.NewObjectName(1, 9, operator, 0, 1).String())
		deadManifest := put(incremental.ManifestName(9, 1))
		alive := put(incremental.NewObjectName(2, 9, operator, 0, 1).String())
		foreign := put("data/notes.txt")
		savepoint, past := put("savepoints/a/manifest"), put("history/1-10")
		pastDead := []string{"history/1-1", put("history/1-9")} // the first is what epoch 1 wrote
		fates := map[string]coordinator.Fate{
			dead: coordinator.FateDead, deadManifest: coordinator.FateDead, alive: coordinator.FateOpen, foreign: coordinator.FateForeign,
			savepoint: coordinator.FateKept, past: coordinator.FateKept, pastDead[0]: coordinator.FateDead, pastDead[1]: coordinator.FateDead, incremental.HeadName: coordinator.FateKept,
		}
		reached, err := coordinator.Reachable(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		if by := reached[past]; !slices.Equal(by, []string{"history"}) {
			t.Errorf("history is kept by %q", by)
		}
		delete(reached, past) // no checkpoint uses it
		for name := range reached {
			fates[name] = coordinator.FateKept
		}
		for _, name := range store.Names() {
			e, err := coordinator.Explain(t.Context(), store, name)
			if err != nil || e.Fate != fates[name] || !e.Stored || len(e.Uses) != len(reached[name]) {
				t.Errorf("explanation of %s: %+v, %v; want %q, kept by %q", name, e, err, fates[name], reached[name])
			}
		}
		if gone, err := coordinator.Explain(t.Context(), store, incremental.ManifestName(1, 7)); err != nil || gone.Stored || gone.Fate != coordinator.FateOpen {
			t.Errorf("explanation of what is not there: %+v, %v", gone, err)
		}
		for _, dry := range []bool{true, false} {
			s, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{DryRun: dry})
			if err != nil || !slices.Equal(named(s.Orphans), append([]string{deadManifest, dead}, pastDead...)) || !slices.Equal(named(s.Unknown), []string{foreign}) {
				t.Fatalf("swept %+v, %v", s, err)
			}
			left := store.Names()
			if slices.Contains(left, dead) != dry || slices.Contains(left, pastDead[1]) != dry || !slices.Contains(left, alive) || !slices.Contains(left, foreign) || !slices.Contains(left, savepoint) || !slices.Contains(left, past) {
				t.Errorf("dry %v: left %v", dry, left)
			}
		}
		intact(t, store)
		closed(t, c)
	})
}

// I5: what a checkpoint had uploaded when it was aborted is deleted once a late
// decline names it, while the coordinator goes on.
func TestLateDeclineNamesItsObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Timeout, o.TolerableFailures = 10*time.Second, 1 })
		w := newCrew(t, store, c, 1, nil)
		if _, err := c.Attach(t.Context(), jobGraph(), 1); err != nil {
			t.Fatal(err)
		}
		w.script = func(a checkpoint.Ack, send func()) {
			if a.Checkpoint == 1 && a.Subtask.Index == 1 {
				time.Sleep(15 * time.Second)
				c.Decline(checkpoint.Decline{
					Checkpoint: 1, Execution: a.Execution, Subtask: a.Subtask, Code: checkpoint.DeclinePersist, Text: "cancelled",
					Objects: a.Operators[0].Keyed.NewObjects(),
				})
				return
			}
			send()
		}
		c.Start(w.execution(), w)
		if _, err := c.Trigger(t.Context()); err == nil {
			t.Fatal("checkpoint 1 was committed")
		}
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		tidy(t, store)
		w.end()
		closed(t, c)
	})
}

// The store's state when everything fails: the attempt fails after what is
// tolerated, and says why (I11).
func TestTolerableFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := faultstore.Wrap(memstore.New(), nil)
		c := open(t, store, func(o *coordinator.Options) { o.Interval = time.Second; o.TolerableFailures = 2 })
		w, _ := begin(t, store, c, 1)
		store.Set(faultstore.When(faultstore.OfKind(faultstore.Put), faultstore.Fault{Before: upload.ErrNoSpace}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		triggered, _, aborted, failed := w.seen()
		if len(triggered) != 3 || len(aborted) != 3 || len(failed) != 1 || !strings.Contains(failed[0].Error(), upload.ErrNoSpace.Error()) {
			t.Errorf("triggered %d, aborted %v, failed %v", len(triggered), aborted, failed)
		}
		if s := c.Status(); s.Failed != 3 || s.AbortedBy["declined"] != 3 || s.ConsecutiveFailures != 3 {
			t.Errorf("status %+v", s)
		}
		w.end()
		store.Set(nil)
		w, _ = begin(t, store, c, 2)
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Error(err)
		}
		w.end()
		closed(t, c)
	})
}

func TestParseRestore(t *testing.T) {
	for _, s := range []string{"latest", "none", "41"} {
		if r, err := coordinator.ParseRestore(s); err != nil || r.String() != s {
			t.Errorf("%q: %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "newest", "99999999999999999999"} {
		if _, err := coordinator.ParseRestore(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
