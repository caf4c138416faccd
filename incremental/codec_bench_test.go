package incremental_test

import (
	"fmt"
	"testing"

	"github.com/tidemark/tidemark/incremental"
)

// A manifest of ten thousand files, written and read.
func BenchmarkManifest(b *testing.B) {
	m := sample()
	h := m.Subtasks[0].Keyed
	for i := range 10_000 {
		h.Files = append(h.Files, incremental.File{Name: fmt.Sprintf("%06d.sst", i+100), Immutable: true, Ref: h.Files[0].Ref})
	}
	incremental.SortHandle(h)
	encoded := encode(b, m)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encode(b, m)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := incremental.DecodeManifest(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode small", func(b *testing.B) {
		small := encode(b, sample())
		for b.Loop() {
			if _, err := incremental.DecodeManifest(small); err != nil {
				b.Fatal(err)
			}
		}
	})
}
