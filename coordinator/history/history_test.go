package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTest = errors.New("made up")

// start opens the log of an epoch's leader.
func start(store upload.Store, e checkpoint.Epoch) *Log {
	return Open(context.Background(), Options{Store: store, Job: "j", Epoch: e, Limit: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func ended(id checkpoint.ID, e checkpoint.Epoch, s Status, parts int) Checkpoint {
	c := Checkpoint{ID: id, Epoch: e, Status: s, Triggered: time.Unix(int64(id), 0).UTC(), Duration: time.Second, Subtasks: parts, Acked: parts}
	for i := range parts {
		c.Parts = append(c.Parts, Part{Vertex: "op", Index: i, Acked: time.Unix(int64(id), 0).UTC(), Timings: Timings{Sync: time.Millisecond}})
	}
	return c
}

func ids(h History) (ids []string) {
	for _, c := range h.Checkpoints {
		ids = append(ids, fmt.Sprintf("%v %s", c.Ref(), c.Status))
	}
	return ids
}

// A history outlives its leader; the next one goes on with it.
func TestHistoryOutlivesItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		if h, err := Read(t.Context(), store); err != nil || len(h.Checkpoints) > 0 {
			t.Fatalf("read %+v, %v from an empty store", h, err)
		}
		l := start(store, 1)
		l.Add(ended(1, 1, Completed, 2))
		l.Add(ended(2, 1, Failed, 1))
		l.Close(t.Context())
		l = start(store, 2)
		l.Add(ended(2, 2, Completed, 2)) // perhaps before the old history was read
		synctest.Wait()
		l.Add(ended(3, 2, Completed, 2))
		want := []string{"1-1 completed", "2-1 failed", "2-2 completed", "3-2 completed"}
		if h := l.History(); !slices.Equal(ids(h), want) || h.Completed != 3 || h.Failed != 1 || h.Job != "j" {
			t.Errorf("running: %+v", h)
		}
		l.Close(t.Context())
		h, err := Read(t.Context(), store)
		if err != nil || !slices.Equal(ids(h), want) || h.Completed != 3 || h.Failed != 1 || h.Job != "j" {
			t.Errorf("read %+v, %v", h, err)
		}
		if c, ok := h.Find(checkpoint.Ref{ID: 2, Epoch: 1}); !ok || !reflect.DeepEqual(c, ended(2, 1, Failed, 1)) {
			t.Errorf("found %+v, %v", c, ok)
		}
		if names := store.Names(); len(names) != 1 || !strings.HasPrefix(names[0], "history/2-") {
			t.Errorf("left %v", names)
		}
	})
}

// I11: a store that refuses history costs nobody anything; what was added is written
// once the store takes it.
func TestHistoryOfAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New()
		old := start(mem, 1)
		old.Add(ended(1, 1, Failed, 0))
		old.Close(t.Context())
		for _, kind := range []faultstore.Kind{faultstore.List, faultstore.Get, faultstore.Put, faultstore.Delete} {
			store := faultstore.Wrap(mem, faultstore.When(faultstore.OfKind(kind), faultstore.Fault{Before: errTest}))
			l := start(store, 2)
			l.Add(ended(2, 2, Completed, 1))
			time.Sleep(time.Minute)
			if n := len(l.History().Checkpoints); n < 1 {
				t.Errorf("%v fails: %d checkpoints", kind, n)
			}
			store.Set(nil)
			time.Sleep(time.Minute)
			if h, err := Read(t.Context(), mem); err != nil || !slices.Contains(ids(h), "1-1 failed") || !slices.Contains(ids(h), "2-2 completed") {
				t.Errorf("%v failed: read %v, %v", kind, ids(h), err)
			}
			l.Close(t.Context())
			if names := mem.Names(); len(names) != 1 {
				t.Errorf("%v failed: left %v", kind, names)
			}
		}
	})
}

// A history is written at most every WriteEvery, and only if something was added.
func TestHistoryIsWrittenSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var puts atomic.Int64
		store := faultstore.Wrap(memstore.New(), faultstore.InjectorFunc(func(op faultstore.Op) faultstore.Fault {
			if op.Kind == faultstore.Put {
				puts.Add(1)
			}
			return faultstore.Fault{}
		}))
		l := start(store, 1)
		for i := range 600 {
			l.Add(ended(checkpoint.ID(i+1), 1, Completed, 1))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		if n := puts.Load(); n > int64(time.Minute/WriteEvery)+1 {
			t.Errorf("%d writes in a minute", n)
		}
		h, err := Read(t.Context(), store)
		if err != nil || h.Completed != 600 {
			t.Errorf("read %d, %v", h.Completed, err)
		}
		l.Close(t.Context())
	})
}

// I2, I10: a history that cannot be read is given up only after several tries, and is
// deleted only as the lesser of two.
func TestDamagedHistory(t *testing.T) {
	for _, content := range []string{"", "tidemark-history 1 00000000\n{}", "notes"} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			if _, err := store.Put(t.Context(), "history/1-7", upload.BodyFromBytes([]byte(content)), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(t.Context(), store); !errors.Is(err, ErrFormat) {
				t.Errorf("%q: %v", content, err)
			}
			l := start(store, 2)
			l.Add(ended(1, 2, Completed, 0))
			time.Sleep(WriteEvery + WriteEvery/2)
			if names := store.Names(); !slices.Equal(names, []string{"history/1-7"}) {
				t.Errorf("%q: %v after two tries", content, names)
			}
			time.Sleep(WriteEvery)
			if names := store.Names(); !slices.Equal(names, []string{"history/2-1"}) {
				t.Errorf("%q: %v after three tries", content, names)
			}
			l.Close(t.Context())
		})
	}
}

// I2, I4, I10: what a newer leader or a newer program wrote is neither replaced nor
// deleted.
func TestNewerHistory(t *testing.T) {
	for name, content := range map[string]string{"history/1-7": "tidemark-history 2 00000000\n{}", "history/3-1": "notes"} {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			if _, err := store.Put(t.Context(), name, upload.BodyFromBytes([]byte(content)), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			l := start(store, 2)
			for i := range 10 {
				l.Add(ended(checkpoint.ID(i+1), 2, Completed, 0))
				time.Sleep(time.Minute)
			}
			if h := l.History(); len(h.Checkpoints) != 10 {
				t.Errorf("%s: running: %v", name, ids(h))
			}
			l.Close(t.Context())
			if names := store.Names(); !slices.Equal(names, []string{name}) {
				t.Errorf("%s: left %v", name, names)
			}
		})
	}
}

// A leader that ends soon leaves its history all the same.
func TestHistoryIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		l := start(store, 1)
		time.Sleep(time.Second)
		l.Add(ended(1, 1, Failed, 0))
		synctest.Wait()
		if h, err := Read(t.Context(), store); err != nil || len(h.Checkpoints) != 1 {
			t.Errorf("read %v, %v", ids(h), err)
		}
		l.Close(t.Context())
	})
}

// I12: a history stays bounded, and keeps the newest of either kind and the parts of the
// newest checkpoint.
func TestHistoryIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h History
		var all [2]int
		for i := range rapid.IntRange(1, 300).Draw(t, "checkpoints") {
			s := rapid.SampledFrom([]Status{Completed, Completed, Completed, Failed}).Draw(t, "status")
			c := ended(checkpoint.ID(i+1), 1, s, rapid.SampledFrom([]int{0, 1, 40, maxParts + 1}).Draw(t, "parts"))
			c.Reason = strings.Repeat("é", rapid.SampledFrom([]int{0, maxReason}).Draw(t, "reason"))
			if h = h.with(c); s == Failed {
				all[1]++
			} else {
				all[0]++
			}
			kept, parts := map[Status]int{}, 0
			for j, k := range h.Checkpoints {
				kept[k.Status]++
				if len(k.Reason) > maxReason {
					t.Fatalf("a reason of %d bytes", len(k.Reason))
				}
				if j < len(h.Checkpoints)-1 {
					parts += len(k.Parts)
				}
			}
			newest := h.Checkpoints[len(h.Checkpoints)-1]
			if kept[Completed] != min(all[0], maxEach) || kept[Failed] != min(all[1], maxEach) || parts > maxParts || newest.ID != c.ID || len(newest.Parts) != len(c.Parts) {
				t.Fatalf("after %v: %v kept, with %d parts; newest %d", all, kept, parts, newest.ID)
			}
		}
		if h.Completed != int64(all[0]) || h.Failed != int64(all[1]) {
			t.Fatalf("counted %d and %d of %v", h.Completed, h.Failed, all)
		}
		b, err := encode(h)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decode(b); err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("decoded %+v, %v; want %+v", again, err, h)
		}
	})
}

// I7: a name parses only as it is written, and sorts by number.
func TestNames(t *testing.T) {
	for s, want := range map[string]bool{
		"history/1-1": true, "history/12-345": true, "history/0-0": true,
		"history/01-1": false, "history/1": false, "history/1-": false, "history/-1": false, "history/1-1-1": false, "history/a-1": false,
		"history/": false, "1-1": false, "histories/1-1": false, "history/1-+1": false, "history/1-1/x": false,
	} {
		if _, ok := ParseName(s); ok != want {
			t.Errorf("%q parses: %v", s, ok)
		}
	}
	if (Name{2, 9}).Compare(Name{2, 10}) >= 0 || (Name{10, 1}).Compare(Name{9, 99}) <= 0 {
		t.Error("names are not ordered by epoch and number")
	}
}
