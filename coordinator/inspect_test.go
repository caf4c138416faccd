package coordinator_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// Inspect names for each object of a checkpoint the others that reach it, and
// fails where it cannot read one of their manifests. Jobs finds the heads.
func TestInspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		store := faultstore.Wrap(mem, nil)
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 4 })
		w, _ := begin(t, store, c, 1)
		for range 4 {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.end()
		closed(t, c)
		infos, err := coordinator.List(t.Context(), store)
		if err != nil || len(infos) != 4 {
			t.Fatal(infos, err)
		}
		i := slices.IndexFunc(infos, func(i coordinator.CheckpointInfo) bool { return i.ID == 2 })
		m, shared, err := coordinator.Inspect(t.Context(), store, infos[i], infos)
		if err != nil || m.Checkpoint != 2 {
			t.Fatal(m, err)
		}
		for name := range m.Objects() {
			n, ok := incremental.ParseObjectName(name)
			want := map[checkpoint.ID][]checkpoint.ID{1: {1, 3}, 2: {3, 4}}[n.Checkpoint] // an object lives for three checkpoints
			if got := slices.Sorted(slices.Values(shared[name])); !ok || !slices.Equal(got, want) {
				t.Errorf("%s is shared with %v, want %v", name, got, want)
			}
		}
		if len(shared) != len(m.Objects()) {
			t.Errorf("shared: %v", slices.Collect(maps.Keys(shared)))
		}
		for _, id := range []checkpoint.ID{2, 4} {
			name := incremental.ManifestName(id, 1)
			store.Set(faultstore.When(func(op faultstore.Op) bool { return op.Name == name }, faultstore.Fault{Before: errTest}))
			if _, _, err := coordinator.Inspect(t.Context(), store, infos[i], infos); !errors.Is(err, errTest) {
				t.Errorf("manifest %d cannot be read, and Inspect returned %v", id, err)
			}
		}
		store.Set(nil)

		all := memstore.New()
		for _, name := range []string{"a/head", "b/c/head", "d/head/e", "f/manifests/1-1"} {
			if _, err := all.Put(t.Context(), name, upload.BodyFromBytes([]byte("x")), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if jobs, err := coordinator.Jobs(t.Context(), all); err != nil || !slices.Equal(jobs, []string{"a", "b/c", "f"}) {
			t.Errorf("jobs %v, %v", jobs, err)
		}
		broken := faultstore.Wrap(all, faultstore.When(faultstore.OfKind(faultstore.List), faultstore.Fault{After: errTest}))
		if jobs, err := coordinator.Jobs(t.Context(), broken); !errors.Is(err, errTest) {
			t.Errorf("jobs %v, %v", jobs, err)
		}
	})
}

// What a job drops between the listing and the reading is no damage.
func TestInspectBesideAJobThatDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 2 })
		w, _ := begin(t, store, c, 1)
		trigger := func() {
			t.Helper()
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		trigger()
		trigger()
		infos, err := coordinator.List(t.Context(), store)
		if err != nil || len(infos) != 2 {
			t.Fatal(infos, err)
		}
		trigger() // drops the older one
		if m, shared, err := coordinator.Inspect(t.Context(), store, infos[1], infos); err != nil || m.Checkpoint != infos[1].ID || len(shared) != 0 {
			t.Errorf("beside one that is gone: %v, %v, %v", m, shared, err)
		}
		if _, _, err := coordinator.Inspect(t.Context(), store, infos[0], infos); !errors.Is(err, coordinator.ErrNotRetained) || errors.Is(err, upload.ErrNotExist) {
			t.Errorf("one that is gone: %v", err)
		}
		w.end()
		closed(t, c)
	})
}
