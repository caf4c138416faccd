//go:build invariants

package table

import "github.com/zeebo/xxh3"

// seal proves, in tests, that nobody changed blocks that a flush reads.
type seal struct{ hash uint64 }

func sealOf(e blocks) seal {
	h := xxh3.New()
	for _, b := range e.each() { // the second row may change
		_, _ = h.Write(b[:8])
		_, _ = h.Write(b[16:]) // neither fails
	}
	return seal{h.Sum64()}
}

func (s seal) check(e blocks) {
	if sealOf(e) != s {
		panic("table: a block changed while a flush read it")
	}
}
