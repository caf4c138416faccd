package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/upload"
)

// LargeBytes is the size of the suite's large objects. A store with multipart
// uploads should be tested with a threshold below it.
const LargeBytes = 11<<20 + 7

// Run tests the stores that open returns. open returns a new, empty store for each
// test.
func Run(t *testing.T, open func(*testing.T) upload.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, upload.Store)
	}{
		{"round trip", testRoundTrip},
		{"absent", testAbsent},
		{"overwrite", testOverwrite},
		{"zero bytes", testZeroBytes},
		{"large", testLarge},
		{"names", testNames},
		{"illegal names", testIllegalNames},
		{"wrong checksum", testWrongBody},
		{"body fails", testBodyFails},
		{"cancelled put", testCancelledPut},
		{"cancelled context", testCancelledContext},
		{"if absent", testIfAbsent},
		{"if match", testIfMatch},
		{"if absent race", testIfAbsentRace},
		{"if match race", testIfMatchRace},
		{"if absent large", testIfAbsentLarge},
		{"range", testRange},
		{"list", testList},
		{"list many", testListMany},
		{"delete", testDelete},
		{"copy", testCopy},
		{"readers see whole objects", testAtomicOverwrite},
		{"concurrent", testConcurrent},
		{"file sections", testSections},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// content returns n bytes that depend on seed.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, _ = r.Read(b) // never fails
	return b
}

func put(t *testing.T, s upload.Store, name string, b []byte) upload.Info {
	t.Helper()
	info, err := s.Put(t.Context(), name, upload.BodyFromBytes(b), upload.PutOptions{})
	if err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
	if info.Name != name || info.Size != int64(len(b)) || info.Version == "" {
		t.Fatalf("put %s of %d bytes returned %+v", name, len(b), info)
	}
	return info
}

func wantContent(t *testing.T, s upload.Reader, name string, want []byte) upload.Info {
	t.Helper()
	got, info, err := upload.ReadAll(t.Context(), s, name, int64(len(want))+1<<20)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s holds %d bytes that are not the %d put", name, len(got), len(want))
	}
	return info
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error is %v, want %v", what, err, want)
	}
	var e *upload.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: error %v is no *upload.Error", what, err)
	}
}

func wantAbsent(t *testing.T, s upload.Store, name string) {
	t.Helper()
	_, err := s.Head(t.Context(), name)
	wantErr(t, "head "+name, err, upload.ErrNotExist)
}

func list(t *testing.T, s upload.Reader, prefix string) []string {
	t.Helper()
	var names []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		names = append(names, info.Name)
	}
	return names
}

func wantNoUploads(t *testing.T, s upload.Store) {
	t.Helper()
	for name, err := range s.Uploads(t.Context(), "") {
		if err != nil {
			t.Fatalf("uploads: %v", err)
		}
		t.Errorf("multipart upload of %s is left open", name)
	}
}

func readRange(ctx context.Context, s upload.Reader, name string, offset, length int64) ([]byte, error) {
	r, err := s.GetRange(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}
