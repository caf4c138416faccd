package coordinator_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// tired fails after it deleted a number of versions.
type tired struct {
	upload.Versioned
	left *int
}

func (s tired) DeleteVersions(ctx context.Context, all ...upload.Version) error {
	if *s.left < len(all) {
		return &upload.Error{Op: "delete", Store: s.String(), Name: all[0].Name, Err: errTest}
	}
	*s.left -= len(all)
	return s.Versioned.DeleteVersions(ctx, all...)
}

// orderly fails the test when a delete marker is deleted while a version is below it, as
// the object would come back if that could not be deleted.
type orderly struct {
	upload.Versioned
	t *testing.T
}

func (s orderly) DeleteVersions(ctx context.Context, all ...upload.Version) error {
	for _, v := range all {
		for below, err := range s.Versions(ctx, v.Name) {
			if err != nil || v.Marker && v.Current && below.Name == v.Name && below.ID != v.ID {
				s.t.Errorf("the marker of %s is deleted above version %s, %v", v.Name, below.ID, err)
			}
		}
	}
	return s.Versioned.DeleteVersions(ctx, all...)
}

// I2, I5, I6: a sweep of a store that keeps versions leaves what is current, versions of
// head for as long as it is told, and what is needed; nothing else. It goes on where another
// one was cut short, beside a leader, and its plan counts what it deletes.
func TestSweepVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		mem.KeepVersions()
		w, c := job(t, mem, 30, 2)
		// The mark of the copy that made the job.
		if _, err := mem.Put(t.Context(), incremental.CopyMarkName, upload.BodyFromBytes([]byte("mark")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := mem.Delete(t.Context(), incremental.CopyMarkName); err != nil {
			t.Fatal(err)
		}
		left := func() (noncurrent, heads, markers int) {
			for v, err := range mem.Versions(t.Context(), "") {
				switch {
				case err != nil:
					t.Fatal(err)
				case v.Marker:
					markers++
				case v.Name == incremental.HeadName && !v.Current:
					heads++
				case !v.Current:
					noncurrent++
				}
			}
			return noncurrent, heads, markers
		}
		old, heads, markers := left()
		if old == 0 || heads < 30 || markers == 0 {
			t.Fatalf("the job left %d old versions, %d of head, %d markers", old, heads, markers)
		}
		before := mem.Names()
		m, err := incremental.ReadManifest(t.Context(), mem, 30, 1)
		if err != nil {
			t.Fatal(err)
		}
		needed := slices.Sorted(func(yield func(string) bool) {
			for name := range m.Objects() {
				if !yield(name) {
					return
				}
			}
		})[0]
		if err := mem.Delete(t.Context(), needed); err != nil { // by mistake
			t.Fatal(err)
		}
		if _, err := mem.Put(t.Context(), "notes.txt", upload.BodyFromBytes([]byte("a")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := mem.Put(t.Context(), "notes.txt", upload.BodyFromBytes([]byte("b")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}

		sweep := func(s upload.Store, o coordinator.SweepOptions) (coordinator.SweptVersions, int, error) {
			logged := 0
			o.Deleted = func(all []coordinator.Deletion) {
				for _, d := range all {
					if d.Version == "" || d.Why == "" || d.Name == needed || strings.HasPrefix(d.Name, "notes") {
						t.Errorf("deleted %+v", d)
					}
				}
				logged += len(all)
			}
			got, err := coordinator.Sweep(t.Context(), s, o)
			return got.Versions, logged, err
		}
		plan, logged, err := sweep(mem, coordinator.SweepOptions{DryRun: true})
		if err != nil || logged != 0 || plan.Old.Objects != old || plan.Markers.Objects != markers || plan.Heads.Objects != heads || plan.OldHeads.Objects != 0 || plan.Needed.Objects != 1 {
			t.Fatalf("the plan is %+v, %v; there are %d, %d of head, %d markers", plan, err, old, heads, markers)
		}
		some := old / 2
		if _, n, err := sweep(tired{mem, &some}, coordinator.SweepOptions{}); old > 250 || !errors.Is(err, errTest) && n == 0 {
			t.Fatalf("cut short after %d of %d: %v", n, old, err)
		}
		done, logged, err := sweep(orderly{mem, t}, coordinator.SweepOptions{})
		if err != nil || logged != old+markers {
			t.Fatalf("%d were deleted, %+v, %v", logged, done, err)
		}
		if o, h, k := left(); o != 2 || h != heads || k != 1 { // of what is needed, and of notes.txt; its marker
			t.Errorf("%d old versions, %d of head and %d markers are left", o, h, k)
		}
		if _, logged, err := sweep(mem, coordinator.SweepOptions{}); err != nil || logged != 0 {
			t.Errorf("again: %d deleted, %v", logged, err)
		}

		// The way back of what was deleted by mistake.
		for v, err := range mem.Versions(t.Context(), needed) {
			if err != nil || v.Current && mem.DeleteVersions(t.Context(), v) != nil {
				t.Fatal(v, err)
			}
			break
		}
		if now := mem.Names(); !slices.Equal(slices.DeleteFunc(now, func(n string) bool { return n == "notes.txt" }), before) {
			t.Errorf("%q, were %q", now, before)
		}
		intact(t, mem)

		time.Sleep(coordinator.DefaultHeadVersions - time.Minute) // the last was not overwritten yet
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := sweep(mem, coordinator.SweepOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, h, _ := left(); h != heads+1 {
			t.Errorf("after 30 days less a minute %d of %d versions of head are left", h, heads+1)
		}
		time.Sleep(2 * time.Minute)
		if v, _, err := sweep(mem, coordinator.SweepOptions{}); err != nil || v.OldHeads.Objects != heads || v.Heads.Objects != 1 {
			t.Errorf("after 30 days: %+v, %v", v, err)
		}
		w.end()
		closed(t, c)
		intact(t, mem)
	})
}

// job runs a job that keeps a number of its checkpoints, until it has taken others.
func job(t *testing.T, store upload.Store, checkpoints, newest int) (*crew, *coordinator.Coordinator) {
	t.Helper()
	c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = newest })
	w, _ := begin(t, store, c, 1)
	for range checkpoints {
		if _, err := c.Trigger(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return w, c
}

// unlisting is a store that does not list versions.
type unlisting struct{ upload.Versioned }

func (s unlisting) Versions(context.Context, string) iter.Seq2[upload.Version, error] {
	return func(yield func(upload.Version, error) bool) { yield(upload.Version{}, upload.ErrDenied) }
}

// mute is a server that does not say which version is the latest.
type mute struct{ upload.Versioned }

func (s mute) Versions(ctx context.Context, prefix string) iter.Seq2[upload.Version, error] {
	return func(yield func(upload.Version, error) bool) {
		for v, err := range s.Versioned.Versions(ctx, prefix) {
			v.Current = false
			if !yield(v, err) {
				return
			}
		}
	}
}

func (s mute) DeleteVersions(context.Context, ...upload.Version) error {
	panic("a version is deleted that may be current")
}

// I2: where a listing does not tell what is current, no version is deleted.
func TestSweepVersionsOfAMuteServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		mem.KeepVersions()
		w, c := job(t, mem, 5, 2)
		time.Sleep(2 * coordinator.DefaultHeadVersions)
		s, err := coordinator.Sweep(t.Context(), mute{mem}, coordinator.SweepOptions{})
		if err != nil || !errors.Is(s.Versions.Unlisted, coordinator.ErrVersions) {
			t.Errorf("%+v, %v", s, err)
		}
		w.end()
		closed(t, c)
		intact(t, mem)
	})
}

// busy is a store whose job goes on while it is swept.
type busy struct {
	upload.Versioned
	work func()
	runs *int
}

func (s busy) DeleteVersions(ctx context.Context, all ...upload.Version) error {
	if *s.runs++; *s.runs < 50 {
		s.work()
	}
	return s.Versioned.DeleteVersions(ctx, all...)
}

// A sweep beside a job that leaves new versions all the time ends.
func TestSweepVersionsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		mem.KeepVersions()
		w, c := job(t, mem, 5, 1)
		runs := 0
		s := busy{mem, func() {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}, &runs}
		if _, err := coordinator.Sweep(t.Context(), s, coordinator.SweepOptions{}); err != nil || runs > 2 {
			t.Errorf("%d requests, %v", runs, err)
		}
		w.end()
		closed(t, c)
		intact(t, mem)
	})
}

// Without the permission to list versions a sweep does the rest.
func TestSweepWithoutVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		w, c := job(t, mem, 3, 2)
		s, err := coordinator.Sweep(t.Context(), unlisting{mem}, coordinator.SweepOptions{})
		if err != nil || !errors.Is(s.Versions.Unlisted, upload.ErrDenied) || s.Stored.Objects == 0 {
			t.Errorf("%+v, %v", s, err)
		}
		w.end()
		closed(t, c)
	})
}
