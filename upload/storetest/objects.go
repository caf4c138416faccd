package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/upload"
)

func testRoundTrip(t *testing.T, s upload.Store) { // I1
	want := content(1, 100_000)
	info := put(t, s, "data/a1/object", want)
	got := wantContent(t, s, "data/a1/object", want)
	if got.Version != info.Version || got.Size != info.Size || got.Name != info.Name {
		t.Errorf("get says %+v, put said %+v", got, info)
	}
	head, err := s.Head(t.Context(), "data/a1/object")
	if err != nil {
		t.Fatal(err)
	}
	if head.Version != info.Version || head.Size != info.Size || head.Name != info.Name || head.Modified.IsZero() {
		t.Errorf("head says %+v, put said %+v", head, info)
	}
	for _, i := range []upload.Info{info, got, head} {
		if i.HasCRC32C && i.CRC32C != upload.CRC32C(want) {
			t.Errorf("checksum is %08x, not %08x", i.CRC32C, upload.CRC32C(want))
		}
	}
}

func testAbsent(t *testing.T, s upload.Store) { // I10
	_, _, err := s.Get(t.Context(), "data/none")
	wantErr(t, "get", err, upload.ErrNotExist)
	_, err = s.GetRange(t.Context(), "data/none", 0, 1)
	wantErr(t, "range", err, upload.ErrNotExist)
	_, err = s.GetRange(t.Context(), "data/none", 0, 0)
	wantErr(t, "range of nothing", err, upload.ErrNotExist)
	_, err = s.Head(t.Context(), "data/none")
	wantErr(t, "head", err, upload.ErrNotExist)
	if names := list(t, s, ""); len(names) > 0 {
		t.Errorf("new store lists %v", names)
	}
	put(t, s, "data/dir/object", []byte("x"))
	_, err = s.Head(t.Context(), "data/dir")
	wantErr(t, "head of a prefix", err, upload.ErrNotExist)
	_, _, err = s.Get(t.Context(), "data/dir")
	wantErr(t, "get of a prefix", err, upload.ErrNotExist)
}

func testOverwrite(t *testing.T, s upload.Store) {
	first := put(t, s, "head", []byte("one"))
	second := put(t, s, "head", []byte("two"))
	if first.Version == second.Version {
		t.Errorf("two contents have the version %s", first.Version)
	}
	wantContent(t, s, "head", []byte("two"))
}

func testZeroBytes(t *testing.T, s upload.Store) {
	put(t, s, "empty", nil)
	wantContent(t, s, "empty", nil)
	b, err := readRange(t.Context(), s, "empty", 0, 0)
	if err != nil || len(b) != 0 {
		t.Errorf("range of nothing returned %d bytes, %v", len(b), err)
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"empty"}) {
		t.Errorf("lists %v", got)
	}
}

func testLarge(t *testing.T, s upload.Store) { // I1, I5
	want := content(2, LargeBytes)
	info := put(t, s, "data/large", want)
	got := wantContent(t, s, "data/large", want)
	if got.Version != info.Version {
		t.Errorf("get says version %s, put said %s", got.Version, info.Version)
	}
	const from, n = LargeBytes/2 - 1000, 70_000
	b, err := readRange(t.Context(), s, "data/large", from, n)
	if err != nil || !bytes.Equal(b, want[from:from+n]) {
		t.Errorf("range of a large object: %d bytes, %v", len(b), err)
	}
	wantNoUploads(t, s)
}

var oddNames = []string{
	"a b", "a+b", "a%2Fb", "a%b", "a=b&c=d", "a?b#c", "ümläut/日本語/🙂", "quote'\"`", "back\\slash", "semi;colon:at@",
	"star*bracket[x]{y}", "tilde~caret^pipe|", "dollar$(x)", "<angle>", "trailing.", "a..b", "-dash", "UPPER/lower", " lead/trail ",
	"p/" + strings.Repeat("n", 200), "0/1/2/3/4/5/6/7/8/9",
}

func testNames(t *testing.T, s upload.Store) {
	for i, name := range oddNames {
		put(t, s, name, fmt.Append(nil, i))
	}
	want := slices.Sorted(slices.Values(oddNames))
	if got := list(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("lists %q,\nwant %q", got, want)
	}
	for i, name := range oddNames {
		wantContent(t, s, name, fmt.Append(nil, i))
		if got := list(t, s, name); !slices.Contains(got, name) {
			t.Errorf("prefix %q lists %q", name, got)
		}
	}
	if err := s.Delete(t.Context(), oddNames...); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, ""); len(got) > 0 {
		t.Errorf("after deletion of all lists %q", got)
	}
}

func testIllegalNames(t *testing.T, s upload.Store) {
	for _, name := range []string{"", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", ".hidden", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 300)} {
		_, err := s.Put(t.Context(), name, upload.BodyFromBytes(nil), upload.PutOptions{})
		wantErr(t, fmt.Sprintf("put %q", name), err, upload.ErrName)
		_, _, err = s.Get(t.Context(), name)
		wantErr(t, fmt.Sprintf("get %q", name), err, upload.ErrName)
		wantErr(t, fmt.Sprintf("delete %q", name), s.Delete(t.Context(), name), upload.ErrName)
	}
}

func testWrongBody(t *testing.T, s upload.Store) { // I10
	for _, size := range []int{10, 100_000, LargeBytes} {
		for what, damage := range map[string]func(*upload.Body){
			"wrong checksum": func(b *upload.Body) { b.CRC32C ^= 1 },
			"longer":         func(b *upload.Body) { b.Size-- },
			"shorter":        func(b *upload.Body) { b.Size++ },
		} {
			body := upload.BodyFromBytes(content(3, size))
			damage(&body)
			_, err := s.Put(t.Context(), "data/wrong", body, upload.PutOptions{})
			wantErr(t, fmt.Sprintf("put of %d bytes, %s", size, what), err, upload.ErrCorrupt)
			wantAbsent(t, s, "data/wrong")
		}
	}
	wantNoUploads(t, s)
}

func testBodyFails(t *testing.T, s upload.Store) { // I5
	broken := errors.New("disk is gone")
	for _, size := range []int{100_000, LargeBytes} {
		body := upload.BodyFromBytes(content(4, size))
		open := body.Open
		body.Open = func() (io.ReadSeekCloser, error) {
			r, err := open()
			return &hooked{ReadSeekCloser: r, at: int64(size) * 3 / 4, hook: func() error { return broken }}, err
		}
		_, err := s.Put(t.Context(), "data/broken", body, upload.PutOptions{})
		wantErr(t, fmt.Sprintf("put of %d bytes", size), err, broken)
		wantAbsent(t, s, "data/broken")
	}
	wantNoUploads(t, s)
	body := upload.Body{Size: 1, Open: func() (io.ReadSeekCloser, error) { return nil, broken }}
	_, err := s.Put(t.Context(), "data/broken", body, upload.PutOptions{})
	wantErr(t, "put of a body that cannot be opened", err, broken)
}

// hooked calls hook before it reads the byte at.
type hooked struct {
	io.ReadSeekCloser
	pos, at int64
	hook    func() error
}

func (h *hooked) Read(p []byte) (int, error) {
	if h.pos < h.at {
		p = p[:min(int64(len(p)), h.at-h.pos)]
	} else if err := h.hook(); err != nil {
		return 0, err
	}
	n, err := h.ReadSeekCloser.Read(p)
	h.pos += int64(n)
	return n, err
}

func (h *hooked) Seek(offset int64, whence int) (int64, error) {
	to, err := h.ReadSeekCloser.Seek(offset, whence)
	h.pos = to
	return to, err
}

func testCancelledPut(t *testing.T, s upload.Store) { // I5
	put(t, s, "data/kept", []byte("old"))
	for _, size := range []int{100_000, LargeBytes} {
		for _, name := range []string{"data/new", "data/kept"} {
			ctx, cancel := context.WithCancel(t.Context())
			body := upload.BodyFromBytes(content(5, size))
			open := body.Open
			body.Open = func() (io.ReadSeekCloser, error) {
				r, err := open()
				return &hooked{ReadSeekCloser: r, at: int64(size) / 2, hook: func() error { cancel(); return nil }}, err
			}
			_, err := s.Put(ctx, name, body, upload.PutOptions{})
			wantErr(t, fmt.Sprintf("put of %d bytes", size), err, context.Canceled)
			cancel()
		}
	}
	wantAbsent(t, s, "data/new")
	wantContent(t, s, "data/kept", []byte("old"))
	wantNoUploads(t, s)
}

func testCancelledContext(t *testing.T, s upload.Store) {
	put(t, s, "data/a", []byte("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Get(ctx, "data/a")
	wantErr(t, "get", err, context.Canceled)
	_, err = s.Head(ctx, "data/a")
	wantErr(t, "head", err, context.Canceled)
	_, err = s.Put(ctx, "data/b", upload.BodyFromBytes(nil), upload.PutOptions{})
	wantErr(t, "put", err, context.Canceled)
	wantErr(t, "delete", s.Delete(ctx, "data/a"), context.Canceled)
	// A listing that was not allowed to look must not appear empty (I2).
	n := 0
	err = nil
	for _, e := range s.List(ctx, "") {
		n, err = n+1, e
	}
	wantErr(t, "list", err, context.Canceled)
	if n != 1 {
		t.Errorf("list yielded %d times", n)
	}
	wantContent(t, s, "data/a", []byte("a"))
	wantAbsent(t, s, "data/b")
}

func testRange(t *testing.T, s upload.Store) {
	want := content(6, 10_000)
	put(t, s, "data/r", want)
	for _, r := range [][2]int64{{0, 1}, {0, 10_000}, {9_999, 1}, {1234, 4321}, {0, 0}, {5000, 0}, {10_000, 0}} {
		b, err := readRange(t.Context(), s, "data/r", r[0], r[1])
		if err != nil || !bytes.Equal(b, want[r[0]:r[0]+r[1]]) {
			t.Errorf("range %v: %d bytes, %v", r, len(b), err)
		}
	}
	for _, r := range [][2]int64{{0, 10_001}, {9_999, 2}, {10_000, 1}, {20_000, 5}, {-1, 2}, {0, -1}, {1 << 62, 1 << 62}} {
		b, err := readRange(t.Context(), s, "data/r", r[0], r[1])
		if !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("range %v beyond the end: %d bytes, %v", r, len(b), err)
		}
	}
}

func testSections(t *testing.T, s upload.Store) {
	dir := t.TempDir()
	var want []byte
	var paths []string
	for i, n := range []int{5, 0, 70_000, 1, LargeBytes / 2, LargeBytes / 2} {
		path := filepath.Join(dir, fmt.Sprint(i))
		b := content(uint64(10+i), n)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		want, paths = append(want, b...), append(paths, path)
	}
	body, sections, err := upload.BodyFromFiles(t.Context(), paths...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "data/packed", body, upload.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "data/packed", want)
	offset := int64(0)
	for i, sec := range sections {
		b, err := readRange(t.Context(), s, "data/packed", offset, sec.Length)
		if err != nil || upload.CRC32C(b) != sec.CRC32C {
			t.Errorf("section %d: %d bytes, checksum %08x, %v", i, len(b), upload.CRC32C(b), err)
		}
		offset += sec.Length
	}
}
