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
