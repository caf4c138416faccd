package coordinator_test

import (
	"testing"
	"testing/synctest"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload/memstore"
)

// A checkpoint that its job drops while it is verified is not taken for damaged; one whose
// object is gone, and that is retained, is.
func TestVerifyBesideALeader(t *testing.T) { // I1
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		c := open(t, store, func(o *coordinator.Options) { o.Retention.Newest = 3 })
		w, _ := begin(t, store, c, 1)
		trigger := func() {
			if _, err := c.Trigger(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		for range 3 {
			trigger()
		}
		infos, err := coordinator.List(t.Context(), store)
		if err != nil || len(infos) != 3 {
			t.Fatal(infos, err)
		}
		trigger() // drops the first
		m, err := incremental.ReadManifest(t.Context(), store, infos[2].ID, infos[2].Epoch)
		if err != nil {
			t.Fatal(err)
		}
		for name := range m.Objects() {
			if n, _ := incremental.ParseObjectName(name); n.Checkpoint == m.Checkpoint {
				if err := store.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		var dropped, whole []bool
		for v, err := range coordinator.Verify(t.Context(), store, infos, incremental.VerifyOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			dropped, whole = append(dropped, v.Dropped), append(whole, v.OK())
		}
		if len(dropped) != 3 || !dropped[0] || dropped[1] || dropped[2] || whole[0] || !whole[1] || whole[2] {
			t.Errorf("dropped %v, whole %v", dropped, whole)
		}
		w.end()
		closed(t, c)
	})
}
