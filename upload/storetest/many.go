package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
)

// manyObjects is more than a page of any store's listing, and more than one
// batch of deletes.
const manyObjects = 1040

func testList(t *testing.T, s upload.Store) {
	names := []string{"a", "b-c/1", "b/1", "b/2", "b/c/1", "b/c2", "b0/1", "c/x", "d"}
	for _, name := range slices.Backward(names) {
		put(t, s, name, []byte(name))
	}
	for prefix, want := range map[string][]string{
		"":       names, // by bytes: - before / before 0
		"b":      {"b-c/1", "b/1", "b/2", "b/c/1", "b/c2", "b0/1"},
		"b/":     {"b/1", "b/2", "b/c/1", "b/c2"},
		"b/c":    {"b/c/1", "b/c2"},
		"b/c/":   {"b/c/1"},
		"b/c/1":  {"b/c/1"},
		"b/c/1/": nil,
		"nope":   nil,
		"nope/x": nil,
		"a/":     nil,
		"..":     nil,
		"../":    nil,
		"b/../":  nil,
	} {
		if got := list(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q lists %q, want %q", prefix, got, want)
		}
	}
	for info, err := range s.List(t.Context(), "b/2") {
		if err != nil || info.Size != 3 || info.Modified.IsZero() {
			t.Errorf("lists %+v, %v", info, err)
		}
	}
	n := 0
	for _, err := range s.List(t.Context(), "") { // stopping early is allowed
		if err != nil {
			t.Error(err)
		}
		if n++; n == 2 {
			break
		}
	}
	if err := s.Delete(t.Context(), "b/1", "d"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "b/3", nil)
	if got, want := list(t, s, ""), []string{"a", "b-c/1", "b/2", "b/3", "b/c/1", "b/c2", "b0/1", "c/x"}; !slices.Equal(got, want) {
		t.Errorf("after delete and put lists %q, want %q", got, want)
	}
}

func testListMany(t *testing.T, s upload.Store) {
	var names []string
	var g errgroup.Group
	g.SetLimit(8)
	for i := range manyObjects {
		name := fmt.Sprintf("data/%02x/%d", i%16, i)
		names = append(names, name)
		g.Go(func() error {
			_, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte(name)), upload.PutOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if got := list(t, s, "data/"); !slices.Equal(got, names) {
		t.Fatalf("lists %d names, want %d in order", len(got), len(names))
	}
	const keep = 7
	if err := s.Delete(t.Context(), append(slices.Clone(names[keep:]), "data/none")...); err != nil { // more than one batch
		t.Fatal(err)
	}
	if got := list(t, s, ""); !slices.Equal(got, names[:keep]) {
		t.Errorf("after deletes lists %q, want %q", got, names[:keep])
	}
}

func testDelete(t *testing.T, s upload.Store) { // I6
	put(t, s, "data/a", []byte("a"))
	put(t, s, "data/b", []byte("b"))
	for range 2 {
		if err := s.Delete(t.Context(), "data/a", "data/none", "none"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	wantAbsent(t, s, "data/a")
	// A prefix is no object: deleting it deletes nothing (I2).
	if err := s.Delete(t.Context(), "data"); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "data/b", []byte("b"))
	if err := s.Delete(t.Context(), "data/b"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "data", []byte("what was a prefix may become an object"))
}

func testCopy(t *testing.T, s upload.Store) {
	for i, size := range []int{0, 1000, LargeBytes} {
		b := content(uint64(20+i), size)
		src, dst := fmt.Sprintf("from/a b+%d", i), fmt.Sprintf("to/ü %d", i)
		put(t, s, src, b)
		err := s.Copy(t.Context(), src, dst)
		if errors.Is(err, upload.ErrUnsupported) {
			t.Skip("the store cannot copy")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		wantContent(t, s, dst, b)
	}
	wantErr(t, "copy of an absent object", s.Copy(t.Context(), "from/none", "to/none"), upload.ErrNotExist)
	wantAbsent(t, s, "to/none")
	wantNoUploads(t, s)
}

func testAtomicOverwrite(t *testing.T, s upload.Store) {
	const rounds = 30
	contents := [][]byte{bytes.Repeat([]byte("a"), 50_000), bytes.Repeat([]byte("b"), 70_000)}
	put(t, s, "head", contents[0])
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				b, _, err := upload.ReadAll(t.Context(), s, "head", 1<<20)
				if err != nil || !bytes.Equal(b, contents[0]) && !bytes.Equal(b, contents[1]) {
					t.Errorf("reader met %d bytes that nobody put, %v", len(b), err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range rounds {
		put(t, s, "head", contents[i%2])
	}
	close(done)
	wg.Wait()
}

func testConcurrent(t *testing.T, s upload.Store) {
	// A server over a file system removes a directory with its last object. It may
	// do so during a Put into that directory; versitygw then answers 409. So that no
	// store fails here for that, an object stays in each directory.
	for w := range 8 {
		put(t, s, fmt.Sprintf("data/%d/first", w), nil)
	}
	var g errgroup.Group
	for w := range 8 {
		g.Go(func() error {
			for i := range 10 {
				name := fmt.Sprintf("data/%d/%d", w, i)
				b := content(uint64(w*100+i), 2000)
				if _, err := s.Put(t.Context(), name, upload.BodyFromBytes(b), upload.PutOptions{IfAbsent: true}); err != nil {
					return err
				}
				// Read after write.
				r, _, err := s.Get(t.Context(), name)
				if err != nil {
					return err
				}
				got, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil {
					return err
				}
				if !bytes.Equal(got, b) {
					return fmt.Errorf("%s: read other bytes than were put", name)
				}
				if i%2 == 0 {
					if err := s.Delete(t.Context(), name); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := len(list(t, s, "data/")); got != 8*6 {
		t.Errorf("lists %d objects, want %d", got, 8*6)
	}
}
