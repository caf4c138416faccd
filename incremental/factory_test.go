package incremental_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// written is a store with a checkpoint of several objects.
func written(t testing.TB) (*memstore.Store, *incremental.Handle, map[string]string) {
	t.Helper()
	s := memstore.New()
	b, c := open(t, newFactory(t, t.TempDir(), s), 1)
	var h *incremental.Handle
	for id := checkpoint.ID(1); id <= 3; id++ {
		put(t, c, int(id)*50, 100, fmt.Sprint("value ", id))
		h = persist(t, b, id, id-1)
	}
	want := contents(t, c)
	check(t, b.Close())
	if len(h.Objects) < 3 {
		t.Fatalf("the checkpoint has %d objects", len(h.Objects))
	}
	return s, h, want
}

// damages are ways in which an object can be wrong.
var damages = map[string]func(s *memstore.Store, name string) error{
	"flipped": func(s *memstore.Store, name string) error {
		s.Damage(name, func(b []byte) []byte { b[len(b)/3] ^= 1; return b })
		return nil
	},
	"truncated": func(s *memstore.Store, name string) error {
		s.Damage(name, func(b []byte) []byte { return b[:len(b)/3] })
		return nil
	},
	"emptied": func(s *memstore.Store, name string) error {
		s.Damage(name, func([]byte) []byte { return nil })
		return nil
	},
	"replaced": func(s *memstore.Store, name string) error { // by an object whose own checksum is right
		_, err := s.Put(context.Background(), name, upload.BodyFromBytes([]byte(strings.Repeat("other", 10_000))), upload.PutOptions{})
		return err
	},
	"missing": func(s *memstore.Store, name string) error { return s.Delete(context.Background(), name) },
}

// I10, I2: whatever is wrong with whichever object, the restore names it,
// before anything is opened, and deletes nothing.
func TestRestoreRefusesCorruptObjects(t *testing.T) {
	for kind, damage := range damages {
		s, h, _ := written(t)
		for _, o := range h.Objects {
			copied := memstore.New()
			for name := range objects(t, s) {
				b, _, err := upload.ReadAll(t.Context(), s, name, 1<<30)
				check(t, err)
				_, err = copied.Put(t.Context(), name, upload.BodyFromBytes(b), upload.PutOptions{})
				check(t, err)
			}
			check(t, damage(copied, o.Name))
			before := objects(t, copied)
			dir := t.TempDir()
			opened := false
			f, err := incremental.NewFactory(incremental.Options{
				Dir: dir, Store: copied,
				OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
					opened = true
					return openNumbered(dir, states)
				},
			})
			check(t, err)
			_, err = tryOpen(f, 2, h)
			c, ok := errors.AsType[*incremental.CorruptStateError](err)
			if !ok || c.Object != o.Name || !errors.Is(err, incremental.ErrCorruptState) || !errors.Is(err, checkpoint.ErrUnrestorable) || !strings.Contains(err.Error(), o.Name) {
				t.Errorf("%s object: %v, want a CorruptStateError about %s", kind, err, o.Name)
			}
			if kind == "missing" && !errors.Is(err, upload.ErrNotExist) {
				t.Errorf("missing object: %v", err)
			}
			if opened {
				t.Errorf("%s object: the base was opened", kind)
			}
			if left := localFiles(t, dir); len(left) > 0 {
				t.Errorf("%s object: left on the local disk: %v", kind, left)
			}
			if after := objects(t, copied); !maps.Equal(before, after) {
				t.Errorf("%s object: the store changed", kind)
			}
			check(t, f.Close())
		}
	}
}

// I11: a request that fails once fails the restore, or is got over; the next
// restore is complete in any case.
func TestRestoreUnderFaults(t *testing.T) {
	inner, h, want := written(t)
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fault faultstore.Fault
		heals bool
	}{
		"before":             {faultstore.Fault{Before: boom}, false},
		"throttled":          {faultstore.Fault{Before: upload.ErrThrottled}, false},
		"cut":                {faultstore.Fault{Cut: 1, CutShort: boom}, false},
		"flip":               {faultstore.Fault{Flip: true, FlipAt: 3}, true},
		"cut, retried":       {faultstore.Fault{Cut: 1, CutShort: boom}, true},
		"throttled, retried": {faultstore.Fault{Before: upload.ErrThrottled}, true},
	} {
		for k := 0; ; k++ {
			s := faultstore.Wrap(inner, faultstore.OnIndex(k, c.fault))
			dir := t.TempDir()
			var used upload.Store = s
			if c.heals {
				used = upload.Retrying(s, upload.RetryOptions{Base: time.Microsecond})
			}
			f := newFactory(t, dir, used)
			b, err := tryOpen(f, 2, h)
			injected := s.Injected() > 0
			if wantErr := injected && !c.heals; wantErr != (err != nil) {
				t.Errorf("%s at %d: %v", name, k, err)
			}
			if err != nil {
				if errors.Is(err, checkpoint.ErrUnrestorable) || !errors.Is(err, boom) && !errors.Is(err, upload.ErrThrottled) {
					t.Errorf("%s at %d: %v", name, k, err)
				}
				if left := localFiles(t, dir); len(left) > 0 {
					t.Errorf("%s at %d: left on the local disk: %v", name, k, left)
				}
				s.Set(nil)
				b, err = tryOpen(f, 3, h)
				check(t, err)
			}
			col, err := b.Column(plain)
			check(t, err)
			if got := contents(t, col); !maps.Equal(got, want) {
				t.Errorf("%s at %d: %d entries, want %d", name, k, len(got), len(want))
			}
			check(t, b.Close())
			if !injected {
				if k < 3 {
					t.Errorf("%s: only %d requests", name, k)
				}
				break
			}
		}
	}
}

func TestRestoreEndsWithItsContext(t *testing.T) {
	inner, h, _ := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := faultstore.Wrap(inner, faultstore.InjectorFunc(func(faultstore.Op) faultstore.Fault {
		cancel()
		return faultstore.Fault{Hang: true}
	}))
	f := newFactory(t, t.TempDir(), s)
	_, err := f.Open(ctx, state.OpenRequest{Operator: "op", Attempt: 2, KeyGroups: all, Restored: h.Checkpoint, Handles: []checkpoint.StateHandle{h}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("restore: %v", err)
	}
}

type foreignHandle struct{ checkpoint.StateHandle }

// Requests that make no sense are refused before anything is read.
func TestOpenRefuses(t *testing.T) {
	inner, h, _ := written(t)
	s := faultstore.Wrap(inner, nil)
	f := newFactory(t, t.TempDir(), s)
	edited := func(edit func(*incremental.Handle)) []checkpoint.StateHandle {
		e := *h
		e.Files = append([]incremental.File(nil), h.Files...)
		edit(&e)
		return []checkpoint.StateHandle{&e}
	}
	other := *h
	other.Index = 1
	for name, c := range map[string]struct {
		request state.OpenRequest
		says    string
	}{
		"no operator":       {state.OpenRequest{KeyGroups: all}, "not a valid subtask"},
		"path as operator":  {state.OpenRequest{Operator: "../x", KeyGroups: all}, "not a valid subtask"},
		"no groups":         {state.OpenRequest{Operator: "op"}, "not a valid range"},
		"foreign handle":    {state.OpenRequest{Operator: "op", KeyGroups: all, Handles: []checkpoint.StateHandle{foreignHandle{}}}, "want a *incremental.Handle"},
		"other operator":    {state.OpenRequest{Operator: "op2", KeyGroups: all, Restored: 3, Handles: []checkpoint.StateHandle{h}}, `of operator "op"`},
		"other checkpoint":  {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 2, Handles: []checkpoint.StateHandle{h}}, "of checkpoint 3"},
		"older checkpoint":  {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 4, Handles: []checkpoint.StateHandle{h}}, "of checkpoint 3"},
		"two checkpoints":   {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 3, Handles: []checkpoint.StateHandle{h, edited(func(h *incremental.Handle) { h.Checkpoint = 2 })[0]}}, "of checkpoint 2"},
		"overlap":           {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 3, Handles: []checkpoint.StateHandle{h, &other}}, "are held twice"},
		"path as file name": {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 3, Handles: edited(func(h *incremental.Handle) { h.Files[0].Name = "../../evil" })}, "not allowed"},
		"range":             {state.OpenRequest{Operator: "op", KeyGroups: all, Restored: 3, Handles: edited(func(h *incremental.Handle) { h.Files[0].Ref.Length = 1 << 60 })}, "do not lie in"},
	} {
		b, err := f.Open(t.Context(), c.request)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v; want %q", name, b, err, c.says)
		}
	}
	if n := s.Ops(); n > 0 {
		t.Errorf("%d requests to the store", n)
	}
}

// Where subtasks disagree about a state, one of them would be misread.
func TestRescaleRefusesStatesThatDiffer(t *testing.T) {
	s := memstore.New()
	f := newFactory(t, t.TempDir(), s)
	var handles []checkpoint.StateHandle
	for i := range 2 {
		b, err := f.Open(t.Context(), state.OpenRequest{Operator: "op", Index: i, Attempt: 1, KeyGroups: keygroup.Assign(128, 2, i)})
		check(t, err)
		d := plain
		d.Value = []string{"string", "int64"}[i]
		_, err = b.Column(d)
		check(t, err)
		p, err := b.Snapshot(t.Context(), checkpoint.Barrier{ID: 1, Epoch: 1})
		check(t, err)
		h, err := p.Persist(t.Context())
		check(t, err)
		handles = append(handles, h)
		check(t, b.Close())
	}
	if _, err := tryOpen(f, 2, handles...); !errors.Is(err, state.ErrIncompatible) {
		t.Errorf("opened: %v", err)
	}
}

// I12: a directory belongs to one factory; what dead ones left is removed.
func TestFactoryOwnsItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "if need be")
	o := incremental.Options{Dir: dir, Store: memstore.New(), OpenBase: openNumbered}
	f, err := incremental.NewFactory(o)
	check(t, err)
	if _, err := incremental.NewFactory(o); !errors.Is(err, incremental.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second factory over the directory: %v", err)
	}
	_, c := open(t, f, 1) // and the process dies
	put(t, c, 0, 10, "x")
	check(t, f.Close())
	if len(localFiles(t, dir)) == 0 {
		t.Fatal("nothing was left")
	}
	f, err = incremental.NewFactory(o)
	check(t, err)
	if left := localFiles(t, dir); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	check(t, f.Close())
	check(t, os.RemoveAll(dir))
}

// I17: what an attempt needs of the directory it makes again, the lock too, when somebody
// has removed it. If others have taken the place meanwhile, it is theirs.
func TestRemovedDirectoryIsTakenAgain(t *testing.T) {
	request := state.OpenRequest{Operator: "count", KeyGroups: keygroup.Range{Start: 0, End: 8}, Attempt: 1}
	for _, c := range []struct {
		name  string
		harm  func(t *testing.T, dir string)
		wants error
	}{
		{"nothing", func(*testing.T, string) {}, nil},
		{"directory", func(t *testing.T, dir string) { check(t, os.RemoveAll(dir)) }, nil},
		{"lock", func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "lock"))) }, nil},
		{"and made by somebody", func(t *testing.T, dir string) {
			check(t, os.RemoveAll(dir))
			check(t, os.Mkdir(dir, 0o755))
			check(t, os.WriteFile(filepath.Join(dir, "letter"), nil, 0o644))
		}, incremental.ErrForeignDir},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			o := incremental.Options{Dir: dir, Store: memstore.New(), OpenBase: openNumbered}
			f, err := incremental.NewFactory(o)
			check(t, err)
			defer func() { check(t, f.Close()) }()
			first, err := f.Open(t.Context(), request)
			check(t, err)
			defer first.Close()
			c.harm(t, dir)
			b, err := f.Open(t.Context(), request)
			if !errors.Is(err, c.wants) {
				t.Fatalf("open: %v, want %v", err, c.wants)
			}
			if err != nil {
				return
			}
			check(t, b.Close())
			if _, err := incremental.NewFactory(o); !errors.Is(err, incremental.ErrInUse) {
				t.Errorf("a second factory over the directory: %v", err)
			}
		})
	}
}

// I17: a directory that holds anything but local state is refused, and keeps
// what is in it; in one of local state only what a factory made is removed.
func TestFactoryRefusesForeignDirectories(t *testing.T) {
	for _, files := range []map[string]string{
		{"head": "of a store"}, {"lock": "of another program"}, {"state-1": "of nobody"}, {"state-of-the-union": "precious", "lock": ""},
	} {
		dir := t.TempDir()
		for name, content := range files {
			check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
		}
		_, err := incremental.NewFactory(incremental.Options{Dir: dir, Store: memstore.New(), OpenBase: openNumbered})
		if !errors.Is(err, incremental.ErrForeignDir) || !strings.Contains(err.Error(), dir) {
			t.Errorf("with the files %q: %v", files, err)
		}
		for name, content := range files {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != content {
				t.Errorf("%q holds %q, %v", name, b, err)
			}
		}
	}

	dir := t.TempDir()
	o := incremental.Options{Dir: dir, Store: memstore.New(), OpenBase: openNumbered}
	f, err := incremental.NewFactory(o)
	check(t, err)
	check(t, f.Close())
	kept := filepath.Join(dir, "head")
	check(t, os.WriteFile(kept, []byte("put there later"), 0o644))
	f, err = incremental.NewFactory(o)
	check(t, err)
	check(t, f.Close())
	if b, err := os.ReadFile(kept); string(b) != "put there later" {
		t.Errorf("%q holds %q, %v", kept, b, err)
	}
}

func TestOptionsValidate(t *testing.T) {
	err := incremental.Options{Parallel: -1, Plan: incremental.PlanOptions{MinLiveShare: 2, ObjectBytes: -1}}.Validate()
	for _, field := range []string{"Dir", "Store", "OpenBase", "Parallel", "MinLiveShare", "ObjectBytes"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing about %s: %v", field, err)
		}
	}
}

// Key groups that no handle holds would restore as empty state: I9, and the
// loss of a handle must be an error.
func TestMissingKeyGroupsAreRefused(t *testing.T) {
	s := memstore.New()
	f := newFactory(t, t.TempDir(), s)
	b, c := open(t, f, 1)
	put(t, c, 0, 10, "v")
	h := persist(t, b, 1, 0)
	check(t, b.Close())
	half := *h
	half.Range = keygroup.Range{Start: 0, End: 64}
	for _, c := range []struct {
		asked keygroup.Range
		says  string
	}{
		{keygroup.Range{Start: 64, End: 128}, "nothing holds key groups [64,128)"},
		{keygroup.Range{Start: 0, End: 128}, "nothing holds key groups [64,128)"},
		{keygroup.Range{Start: 0, End: 64}, ""},
	} {
		b, err := f.Open(t.Context(), state.OpenRequest{
			Operator: "op", Attempt: 2, KeyGroups: c.asked, Restored: 1, Handles: []checkpoint.StateHandle{&half},
		})
		if err == nil {
			check(t, b.Close())
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.asked, err, c.says)
		}
	}
}

// I10: a restore finds damage in each file, of whichever kind and wherever it lies in an
// object that others share, and opens nothing.
func TestRestoreChecksEachFile(t *testing.T) {
	s, h, _ := written(t)
	kinds := map[bool]int{}
	for _, file := range h.Files {
		kinds[file.Immutable]++
		at := file.Ref.Offset + file.Ref.Length/2
		flip := func(b []byte) []byte { b[at] ^= 4; return b }
		s.Damage(file.Ref.Object, flip)
		opened := false
		f, err := incremental.NewFactory(incremental.Options{
			Dir: t.TempDir(), Store: s,
			OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
				opened = true
				return openNumbered(dir, states)
			},
		})
		check(t, err)
		_, err = tryOpen(f, 2, h)
		if c, ok := errors.AsType[*incremental.CorruptStateError](err); !ok || c.File != file.Name || opened {
			t.Errorf("damage in %s: %v, opened: %v", file.Name, err, opened)
		}
		check(t, f.Close())
		s.Damage(file.Ref.Object, flip) // and back
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Errorf("the checkpoint has %d immutable files and %d others", kinds[true], kinds[false])
	}
}

// I10: a restore names the chunk that is damaged, and a damaged chunk sum; so
// does verify.
func TestDamagedChunksAreNamed(t *testing.T) {
	s := memstore.New()
	f := newFactory(t, t.TempDir(), s)
	b, c := open(t, f, 1)
	put(t, c, 0, 20_000, "v")
	h := persist(t, b, 1, 0)
	check(t, b.Close())
	i := slices.IndexFunc(h.Files, func(f incremental.File) bool { return f.Ref.Length > 2*incremental.ChunkBytes })
	if i < 0 {
		t.Fatal("no file of three chunks")
	}
	ref := h.Files[i].Ref
	flip := func(at int64) {
		s.Damage(ref.Object, func(b []byte) []byte { b[at] ^= 4; return b })
	}
	for at, says := range map[int64]string{
		ref.Offset + incremental.ChunkBytes + 7: fmt.Sprintf("%d bytes at %d", incremental.ChunkBytes, incremental.ChunkBytes),
		ref.Offset + ref.Length - 1:             fmt.Sprintf("bytes at %d", ref.Length/incremental.ChunkBytes*incremental.ChunkBytes),
		ref.Offset - 1:                          "chunk sums",
	} {
		flip(at)
		_, err := tryOpen(f, 2, h)
		if !errors.Is(err, incremental.ErrCorruptState) || !strings.Contains(err.Error(), says) {
			t.Errorf("byte %d: %v, want %q", at, err, says)
		}
		report, err := incremental.Verify(t.Context(), s, manifestOf(h), incremental.VerifyOptions{})
		if err != nil || report.OK() {
			t.Errorf("byte %d: verify found %+v, %v", at, report, err)
		}
		flip(at)
	}
	b2, err := tryOpen(f, 3, h)
	check(t, err)
	check(t, b2.Close())
}
