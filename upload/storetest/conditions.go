package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tidemark/tidemark/upload"
)

func testIfAbsent(t *testing.T, s upload.Store) { // I4, I7
	absent := upload.PutOptions{IfAbsent: true}
	info, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("mine")), absent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("theirs")), absent)
	wantErr(t, "second put", err, upload.ErrPrecondition)
	if got := wantContent(t, s, "head", []byte("mine")); got.Version != info.Version {
		t.Errorf("refused put changed the version from %s to %s", info.Version, got.Version)
	}
	if err := s.Delete(t.Context(), "head"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("theirs")), absent); err != nil {
		t.Errorf("put after delete: %v", err)
	}
}

func testIfMatch(t *testing.T, s upload.Store) { // I4
	_, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("0")), upload.PutOptions{IfMatch: "anything"})
	if !errors.Is(err, upload.ErrPrecondition) && !errors.Is(err, upload.ErrNotExist) {
		t.Fatalf("put of an absent object: %v", err)
	}
	wantAbsent(t, s, "head")
	info := put(t, s, "head", []byte("1"))
	old := info.Version
	for i := 2; i < 5; i++ {
		b := fmt.Append(nil, i)
		next, err := s.Put(t.Context(), "head", upload.BodyFromBytes(b), upload.PutOptions{IfMatch: info.Version})
		if err != nil {
			t.Fatalf("put on version %s: %v", info.Version, err)
		}
		got := wantContent(t, s, "head", b)
		if got.Version != next.Version || next.Version == info.Version {
			t.Fatalf("put said version %s after %s, get says %s", next.Version, info.Version, got.Version)
		}
		info = next
	}
	_, err = s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("zombie")), upload.PutOptions{IfMatch: old})
	wantErr(t, "put on an old version", err, upload.ErrPrecondition)
	wantContent(t, s, "head", []byte("4"))
}

const writers = 16

// race lets writers put at once, and returns the index of the one that won.
func race(t *testing.T, s upload.Store, name string, o upload.PutOptions) int {
	t.Helper()
	start := make(chan struct{})
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			<-start
			_, errs[i] = s.Put(t.Context(), name, upload.BodyFromBytes(fmt.Appendf(nil, "%s by %d", name, i)), o)
		})
	}
	close(start)
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("writers %d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, upload.ErrPrecondition) && !errors.Is(err, upload.ErrThrottled):
			t.Fatalf("writer %d: %v", i, err)
		}
	}
	if winner < 0 {
		t.Fatalf("nobody won: %v", errors.Join(errs...))
	}
	wantContent(t, s, name, fmt.Appendf(nil, "%s by %d", name, winner))
	return winner
}

func testIfAbsentRace(t *testing.T, s upload.Store) { // I4
	for round := range 5 {
		race(t, s, fmt.Sprintf("head-%d", round), upload.PutOptions{IfAbsent: true})
	}
}

func testIfMatchRace(t *testing.T, s upload.Store) { // I4
	for round := range 5 {
		name := fmt.Sprintf("head-%d", round)
		info := put(t, s, name, []byte("start"))
		race(t, s, name, upload.PutOptions{IfMatch: info.Version})
	}
}

func testIfAbsentLarge(t *testing.T, s upload.Store) { // I4, I5
	mine := content(7, LargeBytes)
	absent := upload.PutOptions{IfAbsent: true}
	if _, err := s.Put(t.Context(), "data/large", upload.BodyFromBytes(mine), absent); err != nil {
		t.Fatal(err)
	}
	_, err := s.Put(t.Context(), "data/large", upload.BodyFromBytes(content(8, LargeBytes)), absent)
	wantErr(t, "second put", err, upload.ErrPrecondition)
	info := wantContent(t, s, "data/large", mine)
	_, err = s.Put(t.Context(), "data/large", upload.BodyFromBytes(content(9, LargeBytes)), upload.PutOptions{IfMatch: `"00000000000000000000000000000000"`})
	wantErr(t, "put on another version", err, upload.ErrPrecondition)
	next := content(9, LargeBytes)
	if _, err := s.Put(t.Context(), "data/large", upload.BodyFromBytes(next), upload.PutOptions{IfMatch: info.Version}); err != nil {
		t.Fatalf("put on the version that it has: %v", err)
	}
	wantContent(t, s, "data/large", next)
	wantNoUploads(t, s)
}
