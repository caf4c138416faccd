package table

import "github.com/zeebo/xxh3"

// Place says where an entry is. A row is the entries of one key of the user's,
// whose keys share a prefix that no other row's begin with.
type Place struct {
	Key []byte
	Row int // length of the row's part of Key
	// Hash and RowHash are hashes of Key and Key[:Row], the same at each access. A
	// table uses the lower half of each, since the upper half has chosen the
	// table's key groups.
	Hash, RowHash uint64
}

// PlaceOf returns the place of a key that is a row of its own, of which no better
// hash is known.
func PlaceOf(key []byte) *Place {
	h := xxh3.Hash(key)
	return &Place{key, len(key), h, h}
}

// hash returns the hash that the index uses.
func (p *Place) hash() uint32    { return uint32(p.Hash) }
func (p *Place) rowHash() uint32 { return uint32(p.RowHash) }
func (p *Place) rowKey() []byte  { return p.Key[:p.Row] }
