package coordinator_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// contents is all that is stored, head's version and writer left out.
func contents(t *testing.T, s *memstore.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range s.Names() {
		b, _, err := upload.ReadAll(t.Context(), s, name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if name != incremental.HeadName {
			all[name] = string(b)
		}
	}
	return all
}

// startable fails the test unless the copy is whole, is swept clean and runs as a job.
func startable(t *testing.T, s upload.Store, name string) {
	t.Helper()
	h, _, err := coordinator.ReadHead(t.Context(), s)
	if err != nil || h.Job != name {
		t.Fatal(h.Job, err)
	}
	intact(t, s)
	if _, err := coordinator.Sweep(t.Context(), s, coordinator.SweepOptions{}); err != nil {
		t.Fatal(err)
	}
	tidy(t, s)
	c := open(t, s, func(o *coordinator.Options) { o.Job = name })
	w, r := begin(t, s, c, 1)
	if r == nil || r.Checkpoint != h.Retained[len(h.Retained)-1].ID {
		t.Errorf("it starts from %+v", r)
	}
	if _, err := c.Trigger(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.end()
	closed(t, c)
	intact(t, s)
	tidy(t, s)
}

// I1, I7: a copy under another name holds what the job retains, each shared object once, runs
// as a job of its own, and leaves the job as it was. A second one there is refused.
func TestCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := memstore.New(), memstore.New()
		w, c := job(t, from, 6, 3)
		before := contents(t, from)
		counters := new(upload.Counters)
		done, err := coordinator.Copy(t.Context(), from, upload.Counting(to, counters), "fork", coordinator.CopyOptions{})
		if err != nil || len(done.Checkpoints) != 3 || done.Plans != 1 || done.There.Objects != 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		if puts := counters.Put.Ops.Load(); puts != int64(done.Objects.Objects)+3+2 { // manifests, mark and head
			t.Errorf("%d puts for %d objects", puts, done.Objects.Objects)
		}
		if !maps.Equal(before, contents(t, from)) {
			t.Error("the job was changed")
		}
		for name, content := range contents(t, to) {
			if strings.HasPrefix(name, incremental.DataPrefix) && before[name] != content {
				t.Errorf("%s differs", name)
			}
		}
		startable(t, to, "fork")
		if _, err := coordinator.Copy(t.Context(), from, to, "fork", coordinator.CopyOptions{}); !errors.Is(err, coordinator.ErrJobExists) {
			t.Errorf("onto a job: %v", err)
		}
		if err := to.Delete(t.Context(), incremental.HeadName); err != nil {
			t.Fatal(err)
		}
		if _, err := coordinator.Copy(t.Context(), from, to, "fork", coordinator.CopyOptions{}); !errors.Is(err, coordinator.ErrJobExists) {
			t.Errorf("onto a job that lost its head: %v", err)
		}
		w.end()
		closed(t, c)
	})
}

// I1, I6: whichever request fails, before or after it is applied, a copy that was cut short is
// no job, says what it is, and goes on.
func TestCopyIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := memstore.New()
		w, c := job(t, from, 4, 3)
		w.end()
		closed(t, c)
		for kind, fault := range map[string]faultstore.Fault{"before": {Before: errTest}, "after": {After: errTest}, "late": {Late: errTest}} {
			for n := 0; ; n++ {
				mem := memstore.New()
				to := faultstore.Wrap(mem, faultstore.OnIndex(n, fault))
				_, err := coordinator.Copy(t.Context(), from, to, "j", coordinator.CopyOptions{Parallel: 1})
				if to.Injected() == 0 {
					break
				}
				if _, _, headErr := coordinator.ReadHead(t.Context(), mem); err != nil && errors.Is(headErr, coordinator.ErrNoHead) && len(mem.Names()) > 1 {
					if said := coordinator.Headless(t.Context(), mem); !errors.Is(said, coordinator.ErrCopyUnfinished) || !errors.Is(said, coordinator.ErrHeadMissing) {
						t.Errorf("%s request %d: %v", kind, n, said)
					}
				} else if err == nil && headErr != nil {
					t.Errorf("%s request %d: %v", kind, n, headErr)
				}
				to.Set(nil)
				done, again := coordinator.Copy(t.Context(), from, to, "j", coordinator.CopyOptions{})
				if again != nil && !errors.Is(again, coordinator.ErrJobExists) {
					t.Fatalf("%s request %d: %v, then %v", kind, n, err, again)
				}
				if n > 12 && again == nil && err != nil && done.There.Objects == 0 && done.Objects.Objects > 0 {
					t.Errorf("%s request %d: nothing was there: %+v", kind, n, done)
				}
				to.ApplyLate(t.Context())
				startable(t, mem, "j")
			}
		}
	})
}

// I1: beside a leader that drops what is being copied, a copy plans anew and ends with
// checkpoints that are whole.
func TestCopyBesideALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := memstore.New(), memstore.New()
		c := open(t, from, func(o *coordinator.Options) { o.Interval = 200 * time.Millisecond; o.Retention.Newest = 2 })
		w, _ := begin(t, from, c, 1)
		time.Sleep(time.Second)
		slow := faultstore.Wrap(from, faultstore.When(faultstore.OfKind(faultstore.Get, faultstore.GetRange), faultstore.Fault{Delay: 45 * time.Millisecond}))
		done, err := coordinator.Copy(t.Context(), slow, to, "j", coordinator.CopyOptions{Parallel: 1})
		if err != nil || done.Plans < 2 {
			t.Fatalf("%+v, %v", done, err)
		}
		t.Logf("%+v", done)
		w.end()
		closed(t, c)
		intact(t, from)
		startable(t, to, "j")
	})
}

// I1, I10: damage of the original is not copied for good bytes, and a store that copies by
// itself is not believed.
func TestCopyVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := memstore.New()
		w, c := job(t, from, 3, 3)
		w.end()
		closed(t, c)
		var object string
		for _, name := range from.Names() {
			if strings.HasPrefix(name, incremental.DataPrefix) {
				object = name
			}
		}
		to := memstore.New()
		bad := func(_ context.Context, name string) error {
			b, _, err := upload.ReadAll(t.Context(), from, name, 1<<20)
			if err != nil {
				return err
			}
			if name == object {
				b[len(b)/2] ^= 1
			}
			_, err = to.Put(t.Context(), name, upload.BodyFromBytes(b), upload.PutOptions{})
			return err
		}
		if _, err := coordinator.Copy(t.Context(), from, to, "j", coordinator.CopyOptions{Within: bad}); !errors.Is(err, upload.ErrCorrupt) || !strings.Contains(err.Error(), object) {
			t.Errorf("wrong bytes by the store: %v", err)
		}
		object = ""
		if done, err := coordinator.Copy(t.Context(), from, to, "j", coordinator.CopyOptions{Within: bad}); err != nil || done.Within.Objects+done.There.Objects != done.Objects.Objects {
			t.Errorf("again: %+v, %v", done, err)
		}
		startable(t, to, "j")
		unable := func(context.Context, string) error { return upload.ErrUnsupported }
		if done, err := coordinator.Copy(t.Context(), from, memstore.New(), "j", coordinator.CopyOptions{Within: unable}); err != nil || done.Within.Objects != 0 {
			t.Errorf("a store that cannot: %+v, %v", done, err)
		}
		for _, name := range from.Names() {
			if strings.HasPrefix(name, incremental.DataPrefix) {
				from.Damage(name, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			}
		}
		to = memstore.New()
		if _, err := coordinator.Copy(t.Context(), from, to, "j", coordinator.CopyOptions{}); !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("a damaged original: %v", err)
		}
		if _, _, err := coordinator.ReadHead(t.Context(), to); !errors.Is(err, coordinator.ErrNoHead) {
			t.Errorf("it became a job: %v", err)
		}
	})
}
