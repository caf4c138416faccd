//go:build invariants

package rocks

import "github.com/zeebo/xxh3"

// seal proves, in tests, that nobody changed entries since they were frozen.
type seal struct{ hash uint64 }

func sealOf(e entries) seal {
	h := xxh3.New()
	for _, b := range e.blocks() { // the second row may change
		_, _ = h.Write(b[:8])
		_, _ = h.Write(b[16:]) // neither fails
	}
	return seal{h.Sum64()}
}

func (s seal) check(e entries) {
	if sealOf(e) != s {
		panic("rocks: an entry changed after it was frozen")
	}
}
