package incremental_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/statetest"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStates(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Factory:   func(t *testing.T) state.Factory { return newFactory(t, t.TempDir(), memstore.New()) },
		Reload:    reload,
		Sequences: 20,
	})
}

// reload sends a handle through the codec.
func reload(t *testing.T, sh checkpoint.StateHandle) checkpoint.StateHandle {
	t.Helper()
	var codec deploy.HandleCodec = incremental.HandleCodec{}
	b, err := codec.EncodeHandle(sh)
	if err != nil {
		t.Fatal(err)
	}
	h, err := codec.DecodeHandle(b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sumsOf is how many bytes of chunk sums the objects of a handle hold for its
// files.
func sumsOf(h *incremental.Handle) int64 {
	var n int64
	for _, f := range h.Files {
		if f.Ref.Length > incremental.ChunkBytes {
			n += (f.Ref.Length + incremental.ChunkBytes - 1) / incremental.ChunkBytes * 4
		}
	}
	return n
}

func manifestOf(h *incremental.Handle) *incremental.Manifest {
	m := sample()
	m.Checkpoint, m.Base = h.Checkpoint, 0
	m.Subtasks = []incremental.Subtask{{Operator: h.Operator, Index: h.Index, Keyed: h}}
	return m
}

func newFactory(t testing.TB, dir string, s upload.Store) *incremental.Factory {
	t.Helper()
	f, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: s, OpenBase: openNumbered, Parallel: 3, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		// I12: nothing but the lock is left on the local disk.
		if left := localFiles(t, dir); len(left) > 0 {
			t.Errorf("left on the local disk: %v", left)
		}
	})
	return f
}

func localFiles(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all is the range of every test that does not rescale.
var all = keygroup.Range{Start: 0, End: 128}

var plain = state.Descriptor{Name: "plain", Kind: state.KindValue, Key: "string", Value: "string"}

func open(t testing.TB, f *incremental.Factory, attempt checkpoint.Attempt, handles ...checkpoint.StateHandle) (*incremental.Backend, state.Column) {
	t.Helper()
	b, err := tryOpen(f, attempt, handles...)
	check(t, err)
	c, err := b.Column(plain)
	check(t, err)
	return b.(*incremental.Backend), c
}

func tryOpen(f *incremental.Factory, attempt checkpoint.Attempt, handles ...checkpoint.StateHandle) (state.Backend, error) {
	r := state.OpenRequest{Operator: "op", Attempt: attempt, KeyGroups: all, Handles: handles}
	if len(handles) > 0 {
		r.Restored = handles[0].(*incremental.Handle).Checkpoint
	}
	return f.Open(context.Background(), r)
}

// put writes n entries from first on.
func put(t testing.TB, c state.Column, first, n int, value string) {
	t.Helper()
	for i := first; i < first+n; i++ {
		check(t, c.Put(fmt.Appendf(nil, "\x00\x01key%06d", i), []byte(value)))
	}
}

func contents(t testing.TB, c state.Column) map[string]string {
	t.Helper()
	m := map[string]string{}
	it := c.Scan(nil, nil)
	for it.Next() {
		m[string(it.Key())] = string(it.Value())
	}
	check(t, errors.Join(it.Err(), it.Close()))
	return m
}

func tryPersist(b *incremental.Backend, id, base checkpoint.ID) (*incremental.Handle, error) {
	p, err := b.Snapshot(context.Background(), checkpoint.Barrier{ID: id, Epoch: 1, Base: base})
	if err != nil {
		return nil, err
	}
	h, err := p.Persist(context.Background())
	if err != nil {
		return nil, err
	}
	return h.(*incremental.Handle), nil
}

func persist(t testing.TB, b *incremental.Backend, id, base checkpoint.ID) *incremental.Handle {
	t.Helper()
	h, err := tryPersist(b, id, base)
	check(t, err)
	return h
}

// holds restores a handle and compares what is in it.
func holds(t testing.TB, s upload.Store, h *incremental.Handle, want map[string]string) {
	t.Helper()
	b, c := open(t, newFactory(t, t.TempDir(), s), 99, h)
	if got := contents(t, c); !maps.Equal(got, want) {
		t.Errorf("checkpoint %d holds %d entries, want %d", h.Checkpoint, len(got), len(want))
	}
	check(t, b.Close())
}

// verified fails the test unless I1 holds for the handle.
func verified(t testing.TB, s upload.Reader, h *incremental.Handle) {
	t.Helper()
	r, err := incremental.Verify(context.Background(), s, manifestOf(h), incremental.VerifyOptions{})
	check(t, err)
	if !r.OK() || r.Objects != len(h.Objects) {
		t.Errorf("checkpoint %d: %+v", h.Checkpoint, r)
	}
}

func objects(t testing.TB, s upload.Reader) map[string]int64 {
	t.Helper()
	m := map[string]int64{}
	for i, err := range s.List(context.Background(), "") {
		check(t, err)
		m[i.Name] = i.Size
	}
	return m
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// A checkpoint uploads what is new, and nothing else: counted in the store.
func TestOnlyNewBytesAreUploaded(t *testing.T) {
	s := memstore.New()
	b, c := open(t, newFactory(t, t.TempDir(), s), 1)
	defer b.Close()
	put(t, c, 0, 5000, "first")
	first := persist(t, b, 1, 0)
	before := sum(objects(t, s))
	if before != first.Uploaded || first.Uploaded < 5000*20 || first.FullBytes()+sumsOf(first) != first.Uploaded {
		t.Errorf("first: %d bytes in the store, %d uploaded, %d in full", before, first.Uploaded, first.FullBytes())
	}
	put(t, c, 0, 10, "second")
	second := persist(t, b, 2, 1)
	if n := sum(objects(t, s)) - before; n != second.Uploaded || n > 2000 {
		t.Errorf("second: %d more bytes in the store, %d uploaded", n, second.Uploaded)
	}
	if second.FullBytes() < first.FullBytes() {
		t.Errorf("second has %d bytes in full, first %d", second.FullBytes(), first.FullBytes())
	}
	third := persist(t, b, 3, 2)
	if third.Uploaded > 100 || len(third.Objects) > len(second.Objects)+1 {
		t.Errorf("nothing changed, but %d bytes went up: %+v", third.Uploaded, third.Objects)
	}
	whole := persist(t, b, 4, 0) // a base of 0 allows no reuse
	if whole.Uploaded != whole.FullBytes()+sumsOf(whole) {
		t.Errorf("without a base %d of %d bytes went up", whole.Uploaded, whole.FullBytes())
	}
	for _, h := range []*incremental.Handle{first, second, third, whole} {
		verified(t, s, h)
	}
	holds(t, s, third, contents(t, c))
}

// I7: after a restart the local store uses a file number again, for other bytes
// of the same length. Neither may pass for the other.
func TestFileNumbersComeBackWithOtherContent(t *testing.T) {
	s := memstore.New()
	f := newFactory(t, t.TempDir(), s)
	b, c := open(t, f, 1)
	put(t, c, 0, 10, "committed")
	first := persist(t, b, 1, 0)
	put(t, c, 0, 10, "aaaa")
	lost := persist(t, b, 2, 1) // never committed: its attempt fails
	check(t, b.Close())

	b, c = open(t, f, 2, first)
	put(t, c, 0, 10, "bbbb")
	want := contents(t, c)
	// The base is what the barrier says: also one that this instance did not
	// write, such as the lost one, had it been committed after all.
	for id, base := range map[checkpoint.ID]checkpoint.ID{3: 1, 4: 2} {
		h := persist(t, b, id, base)
		i := slices.IndexFunc(h.Files, func(f incremental.File) bool { return f.Name == "000002.sst" })
		j := slices.IndexFunc(lost.Files, func(f incremental.File) bool { return f.Name == "000002.sst" })
		if i < 0 || j < 0 || h.Files[i].Ref.Length != lost.Files[j].Ref.Length {
			t.Fatalf("the hazard is not there: %+v and %+v", h.Files, lost.Files)
		}
		if h.Files[i].Ref.Object == lost.Files[j].Ref.Object {
			t.Errorf("checkpoint %d reuses a file of an attempt that failed", id)
		}
		verified(t, s, h)
		holds(t, s, h, want)
	}
	check(t, b.Close())
}

// A restored backend goes on from the files that it was restored from.
func TestRestoredFilesAreReused(t *testing.T) {
	s := memstore.New()
	f := newFactory(t, t.TempDir(), s)
	b, c := open(t, f, 1)
	put(t, c, 0, 5000, "first")
	first := persist(t, b, 1, 0)
	check(t, b.Close())
	b, c = open(t, f, 2, reload(t, first))
	put(t, c, 0, 10, "second")
	if h := persist(t, b, 2, 1); h.Uploaded > 2000 {
		t.Errorf("%d bytes went up after a restore", h.Uploaded)
	}
	check(t, b.Close())
}

// I6, I12: handles are remembered for reuse while checkpoints fail, notices are
// lost or come late; and not without end.
func TestReuseSurvivesFailuresAndLostNotices(t *testing.T) {
	s := memstore.New()
	b, c := open(t, newFactory(t, t.TempDir(), s), 1)
	defer b.Close()
	put(t, c, 0, 5000, "first")
	persist(t, b, 1, 0)
	for id := checkpoint.ID(2); id < 60; id++ { // none of them is committed
		if h := persist(t, b, id, 1); h.Uploaded > 2000 {
			t.Fatalf("checkpoint %d uploads %d bytes", id, h.Uploaded)
		}
		if id%3 == 0 {
			b.Aborted(id)
			b.Aborted(id)
			b.Aborted(1) // nonsense
		}
	}
	b.Committed(59) // and then a barrier that was on its way
	if h := persist(t, b, 60, 1); h.Uploaded > 2000 {
		t.Errorf("a barrier that was on its way uploads %d bytes", h.Uploaded)
	}
	if h := persist(t, b, 61, 59); h.Uploaded > 2000 {
		t.Errorf("from the committed base %d bytes went up", h.Uploaded)
	}
	if h := persist(t, b, 62, 7); h.Uploaded != h.FullBytes()+sumsOf(h) {
		t.Errorf("handles before the base are still remembered: %d of %d bytes went up", h.Uploaded, h.FullBytes())
	}
}

// An object of which little is alive is given up, so that the store holds a
// bounded multiple of the state.
func TestMostlyDeadObjectsAreGivenUp(t *testing.T) {
	s := memstore.New()
	b, c := open(t, newFactory(t, t.TempDir(), s), 1)
	defer b.Close()
	put(t, c, 0, 1000, "first")
	var h *incremental.Handle
	for id := checkpoint.ID(1); id < 40; id++ {
		put(t, c, int(id)*7%900, 50, fmt.Sprint(id))
		h = persist(t, b, id, id-1)
		b.Committed(id)
		var held int64
		for _, o := range h.Objects {
			held += o.Size
		}
		if held > 2*h.FullBytes() {
			t.Fatalf("checkpoint %d keeps %d bytes in the store for %d", id, held, h.FullBytes())
		}
	}
	verified(t, s, h)
	holds(t, s, h, contents(t, c))
}

// I5, I11: whatever request fails, in whatever way, the checkpoint fails with
// its cause, names what it may have left in the store, leaves nothing on the
// local disk, and the next one is complete.
func TestPersistUnderFaults(t *testing.T) {
	boom := errors.New("boom")
	for name, fault := range map[string]faultstore.Fault{
		"before":  {Before: upload.ErrThrottled},
		"after":   {After: boom},
		"late":    {Late: boom},
		"cut":     {Cut: 100, CutShort: boom},
		"denied":  {Before: upload.ErrDenied},
		"full":    {Before: upload.ErrNoSpace},
		"doubled": {Twice: true},
	} {
		for k := 0; ; k++ {
			inner := memstore.New()
			s := faultstore.Wrap(inner, nil)
			f, err := incremental.NewFactory(incremental.Options{
				Dir: t.TempDir(), Store: s, OpenBase: openNumbered, Plan: incremental.PlanOptions{ObjectBytes: 4096},
			})
			check(t, err)
			b, c := open(t, f, 1)
			for i := range 3 {
				put(t, c, i*60, 60, "one")
				persist(t, b, checkpoint.ID(i+1), checkpoint.ID(i))
			}
			put(t, c, 15, 60, "two")
			puts := s.Ops()
			s.Set(faultstore.OnIndex(puts+k, fault))
			before := objects(t, inner)
			p, err := b.Snapshot(t.Context(), checkpoint.Barrier{ID: 5, Epoch: 1}) // everything anew
			check(t, err)
			sh, err := p.Persist(t.Context())
			injected := s.Injected() > 0
			s.Set(nil)
			if err != nil {
				pe, ok := errors.AsType[*state.PersistError](err)
				if !ok || !errors.Is(err, boom) && !errors.Is(err, fault.Before) {
					t.Errorf("%s at %d: %v", name, k, err)
				}
				for _, lateErr := range s.ApplyLate(t.Context()) {
					check(t, lateErr)
				}
				for o := range objects(t, inner) {
					if _, old := before[o]; !old && !slices.Contains(pe.Objects, o) {
						t.Errorf("%s at %d: %s is in the store, and the error does not say so", name, k, o)
					}
				}
			} else {
				verified(t, inner, sh.(*incremental.Handle))
			}
			if wantErr := injected && name != "doubled"; wantErr != (err != nil) {
				t.Errorf("%s at %d: error %v", name, k, err)
			}
			next := persist(t, b, 6, 3)
			verified(t, inner, next)
			holds(t, inner, next, contents(t, c))
			check(t, b.Close())
			check(t, f.Close())
			if !injected {
				if k < 3 {
					t.Errorf("%s: only %d requests", name, k)
				}
				break
			}
		}
	}
}

// The end of the context ends an upload that hangs.
func TestPersistEndsWithItsContext(t *testing.T) {
	s := faultstore.Wrap(memstore.New(), nil)
	dir := t.TempDir()
	b, c := open(t, newFactory(t, dir, s), 1)
	defer b.Close()
	put(t, c, 0, 10, "x")
	began := make(chan struct{})
	s.Set(faultstore.InjectorFunc(func(faultstore.Op) faultstore.Fault {
		close(began)
		return faultstore.Fault{Hang: true}
	}))
	p, err := b.Snapshot(t.Context(), checkpoint.Barrier{ID: 1, Epoch: 1})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err = p.Persist(ctx)
	if pe, ok := errors.AsType[*state.PersistError](err); !ok || !errors.Is(err, context.Canceled) || len(pe.Objects) == 0 {
		t.Errorf("persist: %v", err)
	}
	if _, err := p.Persist(t.Context()); err == nil {
		t.Error("persisted a second time")
	}
	p.Release() // does nothing
	for _, sub := range localFiles(t, dir) {
		left, err := os.ReadDir(dir + "/" + sub)
		check(t, err)
		for _, e := range left {
			if strings.HasPrefix(e.Name(), "snapshot") {
				t.Errorf("left on the local disk: %s", e.Name())
			}
		}
	}
}

func TestClosedBackend(t *testing.T) {
	b, _ := open(t, newFactory(t, t.TempDir(), memstore.New()), 1)
	check(t, b.Close())
	_, columnErr := b.Column(plain)
	_, snapshotErr := b.Snapshot(t.Context(), checkpoint.Barrier{ID: 1, Epoch: 1})
	for op, err := range map[string]error{"close": b.Close(), "column": columnErr, "snapshot": snapshotErr} {
		if !errors.Is(err, incremental.ErrClosed) {
			t.Errorf("%s of a closed backend: %v", op, err)
		}
	}
}
