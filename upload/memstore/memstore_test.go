package memstore_test

import (
	"errors"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
	"github.com/tidemark/tidemark/upload/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) upload.Store { return memstore.New() })
}

// A store that keeps versions is a store like any other, too.
func TestVersions(t *testing.T) {
	kept := func() *memstore.Store {
		s := memstore.New()
		s.KeepVersions()
		return s
	}
	storetest.Run(t, func(*testing.T) upload.Store { return kept() })
	for name, decorate := range map[string]func(*memstore.Store) upload.Store{
		"plain":    func(s *memstore.Store) upload.Store { return s },
		"retrying": func(s *memstore.Store) upload.Store { return upload.Retrying(s, upload.RetryOptions{}) },
		"limited": func(s *memstore.Store) upload.Store {
			return upload.Limited(s, upload.NewLimiter(upload.Limits{InFlight: 1}))
		},
		"counting": func(s *memstore.Store) upload.Store { return upload.Counting(s, &upload.Counters{}) },
		"prefixed": func(s *memstore.Store) upload.Store { return upload.Prefixed(s, "a/b") },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.RunVersions(t, 0, func(*testing.T) upload.Versioned { return decorate(kept()).(upload.Versioned) })
		})
	}
}

func TestDamageIsFound(t *testing.T) { // I10
	s := memstore.New()
	if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes([]byte("hello")), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if !s.Damage("a", func(b []byte) []byte { b[1] ^= 4; return b }) {
		t.Fatal("no such object")
	}
	if _, _, err := upload.ReadAll(t.Context(), s, "a", 10); !errors.Is(err, upload.ErrCorrupt) {
		t.Errorf("read of a damaged object: %v", err)
	}
	s.Damage("a", func(b []byte) []byte { return b[:2] })
	if _, _, err := upload.ReadAll(t.Context(), s, "a", 10); !errors.Is(err, upload.ErrCorrupt) {
		t.Errorf("read of a truncated object: %v", err)
	}
	if s.Damage("none", func(b []byte) []byte { return b }) {
		t.Error("damaged an absent object")
	}
}
