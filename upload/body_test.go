package upload_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

func TestCombineCRC32C(t *testing.T) { // I1
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOf(rapid.Byte()).Draw(t, "a")
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		want := upload.CRC32C(append(bytes.Clone(a), b...))
		if got := upload.CombineCRC32C(upload.CRC32C(a), upload.CRC32C(b), int64(len(b))); got != want {
			t.Fatalf("combined %08x, want %08x", got, want)
		}
		if got := upload.ExtendCRC32C(upload.CRC32C(a), b); got != want {
			t.Fatalf("extended %08x, want %08x", got, want)
		}
	})
	// The check value of CRC-32C, by which catalogues of checksums name it.
	if got := upload.CRC32C([]byte("123456789")); got != 0xe3069283 {
		t.Errorf("check value is %08x", got)
	}
	big := make([]byte, 5<<20)
	if got, want := upload.CombineCRC32C(upload.CRC32C([]byte("x")), upload.CRC32C(big), int64(len(big))), upload.CRC32C(append([]byte("x"), big...)); got != want {
		t.Errorf("combined with 5 MiB %08x, want %08x", got, want)
	}
}

func TestBodyFromSections(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		var want []byte
		var sections []upload.Section
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 50), 0, 6).Draw(rt, "lengths") {
			before, after := rapid.IntRange(0, 5).Draw(rt, "before"), rapid.IntRange(0, 5).Draw(rt, "after")
			b := rapid.SliceOfN(rapid.Byte(), before+n+after, before+n+after).Draw(rt, "file")
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				rt.Fatal(err)
			}
			b = b[before : before+n]
			want = append(want, b...)
			sections = append(sections, upload.Section{Path: path, Offset: int64(before), Length: int64(n), CRC32C: upload.CRC32C(b)})
		}
		body := upload.BodyFromSections(sections...)
		if body.Size != int64(len(want)) || body.CRC32C != upload.CRC32C(want) {
			rt.Fatalf("size %d, checksum %08x; want %d, %08x", body.Size, body.CRC32C, len(want), upload.CRC32C(want))
		}
		for range 2 { // more than once
			r, err := body.OpenVerified()
			if err != nil {
				rt.Fatal(err)
			}
			if err := errors.Join(iotest.TestReader(r, want), r.Close()); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func TestBodyFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "000012.sst")
	if err := os.WriteFile(path, []byte("hello, world"), 0o600); err != nil {
		t.Fatal(err)
	}
	body, err := upload.BodyFromFile(t.Context(), path)
	if err != nil || body.Size != 12 || body.CRC32C != upload.CRC32C([]byte("hello, world")) {
		t.Fatalf("%+v, %v", body, err)
	}
	// What happens to the file afterwards is found by who uploads it (I10).
	s := memstore.New()
	for what, change := range map[string]func() error{
		"changed":   func() error { return os.WriteFile(path, []byte("hello, w0rld"), 0o600) },
		"truncated": func() error { return os.WriteFile(path, []byte("hello"), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), "a", body, upload.PutOptions{}); !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("put of a file that was %s: %v", what, err)
		}
	}
	if _, err := upload.BodyFromFile(t.Context(), path+".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := s.Put(t.Context(), "a", upload.Body{Size: 1}, upload.PutOptions{}); err == nil {
		t.Error("a body without Open was put")
	}
}

func TestReadAllIsBounded(t *testing.T) { // I12
	s := memstore.New()
	mustPut(t, s, "head", strings.Repeat("x", 100))
	if b, _, err := upload.ReadAll(t.Context(), s, "head", 100); err != nil || len(b) != 100 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, _, err := upload.ReadAll(t.Context(), s, "head", 99); !errors.Is(err, upload.ErrCorrupt) {
		t.Errorf("an object over the limit: %v", err)
	}
}

func TestVerifyReader(t *testing.T) { // I10
	good := []byte("some bytes")
	for what, c := range map[string]struct {
		bytes string
		size  int64
		ok    bool
	}{
		"right":   {"some bytes", 10, true},
		"flipped": {"some bytas", 10, false},
		"shorter": {"some byte", 10, false},
		"longer":  {"some bytes!", 10, false},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			r := upload.VerifyReader(io.NopCloser(wrap(strings.NewReader(c.bytes))), c.size, upload.CRC32C(good))
			_, err := io.ReadAll(r)
			if c.ok && err != nil || !c.ok && !errors.Is(err, upload.ErrCorrupt) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
