package coordinator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// The sweep of a start tells what lies in the store: what is reachable, what is dead, and
// what is not the job's.
func TestASweepTellsWhatItFound(t *testing.T) { // I5
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
		for name, content := range map[string]string{"notes.txt": "by hand", incremental.ManifestName(999, 1): "left behind"} {
			if _, err := store.Put(t.Context(), name, upload.BodyFromBytes([]byte(content)), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}

		c = open(t, store, nil)
		var stored coordinator.Amount // with the head of the new leader
		for o, err := range store.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			stored.Objects++
			stored.Bytes += o.Size
		}
		w, _ = begin(t, store, c, 2)
		time.Sleep(time.Minute)
		s := c.Status().Cleaner.Survey
		want := coordinator.Survey{
			At: s.At, Stored: stored, Dead: coordinator.Amount{Objects: 1, Bytes: 11}, Foreign: coordinator.Amount{Objects: 1, Bytes: 7},
			Reachable: coordinator.Amount{Objects: stored.Objects - 2, Bytes: stored.Bytes - 18},
		}
		if s != want || s.At.IsZero() {
			t.Errorf("found %+v, want %+v", s, want)
		}
		w.end()
		closed(t, c)
	})
}
