package upload_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

func TestTransfers(t *testing.T) { // I1
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s := memstore.New()
		var out []upload.Outgoing
		var in []upload.Incoming
		want := map[string]string{}
		for o, files := range rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 8), 0, 5).Draw(rt, "objects") {
			var content []byte
			for f, b := range files {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d", o, f))
				want[path] = string(b)
				if rapid.Bool().Draw(rt, "wanted") {
					in = append(in, upload.Incoming{Object: fmt.Sprintf("data/%d", o), Offset: int64(len(content)), Length: int64(len(b)), CRC32C: upload.CRC32C(b), Path: path})
				}
				content = append(content, b...)
			}
			out = append(out, upload.Outgoing{Name: fmt.Sprintf("data/%d", o), Body: upload.BodyFromBytes(content), Options: ifAbsent})
		}
		tr := upload.Transfers{Parallel: rapid.IntRange(0, 3).Draw(rt, "parallel"), RunBytes: int64(rapid.IntRange(0, 20).Draw(rt, "run bytes"))}
		infos, err := tr.Upload(t.Context(), s, out)
		if err != nil {
			rt.Fatal(err)
		}
		for i, info := range infos {
			if info.Name != out[i].Name || info.Size != out[i].Body.Size {
				rt.Fatalf("upload of %s returned %+v", out[i].Name, info)
			}
		}
		in = rapid.Permutation(in).Draw(rt, "order")
		if err := tr.Download(t.Context(), s, in); err != nil {
			rt.Fatal(err)
		}
		for _, f := range in {
			if b, err := os.ReadFile(f.Path); err != nil || string(b) != want[f.Path] {
				rt.Fatalf("%s holds %q, want %q; %v", f.Path, b, want[f.Path], err)
			}
		}
	})
}

func TestDownloadFindsDamage(t *testing.T) { // I10
	content := "one file, another file, the last file"
	files := func(dir string) []upload.Incoming {
		piece := func(from, to int) upload.Incoming {
			return upload.Incoming{Object: "data/x", Offset: int64(from), Length: int64(to - from),
				CRC32C: upload.CRC32C([]byte(content[from:to])), Path: filepath.Join(dir, fmt.Sprint(from))}
		}
		return []upload.Incoming{piece(0, 10), piece(10, 24), piece(24, len(content))}
	}
	for what, c := range map[string]struct {
		damage func([]byte) []byte
		fault  faultstore.Fault
		want   error
	}{
		"flipped":      {damage: func(b []byte) []byte { b[12] ^= 1; return b }, want: upload.ErrCorrupt},
		"flipped late": {fault: faultstore.Fault{Flip: true, FlipAt: 30}, want: upload.ErrCorrupt},
		"truncated":    {damage: func(b []byte) []byte { return b[:len(b)-1] }, want: upload.ErrCorrupt},
		"cut":          {fault: faultstore.Fault{CutShort: faultstore.ErrInjected, Cut: 20}, want: faultstore.ErrInjected},
	} {
		t.Run(what, func(t *testing.T) {
			inner := memstore.New()
			mustPut(t, inner, "data/x", content)
			if c.damage != nil {
				inner.Damage("data/x", c.damage)
			}
			dir := t.TempDir()
			s := faultstore.Wrap(inner, faultstore.OnIndex(0, c.fault))
			err := upload.Transfers{}.Download(t.Context(), s, files(dir))
			var e *upload.Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Name != "data/x" {
				t.Errorf("error is %v", err)
			}
			for _, f := range files(dir) { // what is there is whole
				b, err := os.ReadFile(f.Path)
				if err == nil && upload.CRC32C(b) != f.CRC32C {
					t.Errorf("%s holds %q", f.Path, b)
				}
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if err := (upload.Transfers{}).Download(t.Context(), memstore.New(), files(t.TempDir())); !errors.Is(err, upload.ErrNotExist) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("exists", func(t *testing.T) {
		inner := memstore.New()
		mustPut(t, inner, "data/x", content)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "10"), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (upload.Transfers{}).Download(t.Context(), inner, files(dir)); !errors.Is(err, os.ErrExist) {
			t.Errorf("error is %v", err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "10")); err != nil || string(b) != "precious" {
			t.Errorf("the file that was there holds %q, %v", b, err)
		}
	})
}

func TestTransfersAreBounded(t *testing.T) { // I12
	const parallel = 3
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		s := &gated{Store: memstore.New(), enter: func() {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second) // until all that may be are in here
			now.Add(-1)
		}}
		var out []upload.Outgoing
		for i := range 12 {
			out = append(out, upload.Outgoing{Name: fmt.Sprint(i), Body: upload.BodyFromBytes(nil)})
		}
		if _, err := (upload.Transfers{Parallel: parallel}).Upload(t.Context(), s, out); err != nil {
			t.Fatal(err)
		}
		if most.Load() != parallel {
			t.Errorf("%d puts at once, want %d", most.Load(), parallel)
		}
	})
}

type gated struct {
	upload.Store
	enter func()
}

func (g *gated) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	g.enter()
	return g.Store.Put(ctx, name, body, o)
}

func TestUploadStopsAtAFailure(t *testing.T) {
	faults := faultstore.Wrap(memstore.New(), faultstore.OnIndex(1, faultstore.Fault{Before: upload.ErrNoSpace}))
	var out []upload.Outgoing
	for i := range 50 {
		out = append(out, upload.Outgoing{Name: fmt.Sprint(i), Body: upload.BodyFromBytes([]byte("x"))})
	}
	infos, err := upload.Transfers{Parallel: 1}.Upload(t.Context(), faults, out)
	if !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error is %v", err)
	}
	if infos[0].Name != "0" || infos[1].Name != "" || faults.Ops() != 2 {
		t.Errorf("%d puts began, results %+v", faults.Ops(), infos[:3])
	}
}
