package coordinator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// locking denies the deletion of what is locked, as object lock or a policy does.
type locking struct {
	*memstore.Store
	locked func(name string) bool
}

func (s locking) denied(name string) error {
	return &upload.Error{Op: "delete", Store: s.String(), Name: name, Err: upload.ErrDenied}
}

func (s locking) Delete(ctx context.Context, names ...string) error {
	var errs []error
	for _, n := range names {
		if s.locked(n) {
			errs = append(errs, s.denied(n))
		} else {
			errs = append(errs, s.Store.Delete(ctx, n))
		}
	}
	return errors.Join(errs...)
}

func (s locking) DeleteVersions(ctx context.Context, versions ...upload.Version) error {
	var errs []error
	for _, v := range versions {
		if !v.Marker && s.locked(v.Name) {
			errs = append(errs, s.denied(v.Name))
		} else {
			errs = append(errs, s.Store.DeleteVersions(ctx, v))
		}
	}
	return errors.Join(errs...)
}

// What is locked is left, and keeps nothing else from being deleted: by the leader, which
// goes on, and by gc, which says so.
func TestLockedObjects(t *testing.T) { // I5, I11
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		locked := true
		one := ""
		store := locking{mem, func(name string) bool {
			if one == "" && strings.HasPrefix(name, incremental.DataPrefix) {
				one = name // the first that is deleted
			}
			return locked && name == one
		}}
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 1 })
		w, _ := begin(t, store, c, 1)
		for range 6 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		s := c.Status().Cleaner
		if s.Paused != nil || s.Waiting != 0 || s.LeftToSweep != 1 || s.Deleted == 0 || s.Deleted != s.Doomed-1 {
			t.Errorf("cleaner %+v", s)
		}
		w.end()
		closed(t, c)
		if _, err := mem.Head(t.Context(), one); err != nil {
			t.Errorf("the locked object: %v", err)
		}

		// A later leader sweeps, and leaves it again. Once it is no longer locked, gc takes it.
		c = open(t, store, nil)
		time.Sleep(time.Minute)
		closed(t, c)
		swept, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{})
		if !errors.Is(err, upload.ErrDenied) || len(swept.Orphans) != 1 || !strings.Contains(err.Error(), "1 of what it found may not be deleted") {
			t.Errorf("gc beside a lock: %+v, %v", swept, err)
		}
		locked = false
		if _, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{}); err != nil {
			t.Errorf("gc without it: %v", err)
		}
		tidy(t, mem)
	})
}

// In a bucket that keeps versions, gc deletes those that are not locked, and comes to an end.
func TestLockedVersions(t *testing.T) { // I5, I11
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		mem.KeepVersions()
		_, c := job(t, mem, 30, 2)
		closed(t, c)
		locked := true
		store := locking{mem, func(name string) bool { return locked && strings.HasPrefix(name, incremental.ManifestPrefix) }}
		noncurrent := func() (manifests, others int) {
			for v, err := range mem.Versions(t.Context(), "") {
				switch {
				case err != nil:
					t.Fatal(err)
				case v.Current || v.Marker || v.Name == incremental.HeadName:
				case strings.HasPrefix(v.Name, incremental.ManifestPrefix):
					manifests++
				default:
					others++
				}
			}
			return manifests, others
		}
		time.Sleep(time.Hour)
		had, _ := noncurrent()
		deleted := 0
		_, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{Deleted: func(all []coordinator.Deletion) { deleted += len(all) }})
		if !errors.Is(err, upload.ErrDenied) || deleted == 0 {
			t.Errorf("%d deleted, %v", deleted, err)
		}
		if manifests, others := noncurrent(); manifests != had || had == 0 || others != 0 {
			t.Errorf("of %d locked versions %d are left, and %d of the others", had, manifests, others)
		}
		locked = false
		if _, err := coordinator.Sweep(t.Context(), store, coordinator.SweepOptions{}); err != nil {
			t.Error(err)
		}
		if manifests, others := noncurrent(); manifests+others != 0 {
			t.Errorf("%d and %d versions are left without a lock", manifests, others)
		}
	})
}
