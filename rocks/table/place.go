package table

import "github.com/zeebo/xxh3"

// Place says where an entry is. A row holds the entries of one key of the user's: a
// value, or those of a map or a list. The keys of a row share a prefix, and no key of
// another row begins with it.
type Place struct {
	Key []byte
	Row int // length of the row's part of Key
	// Hash and RowHash are hashes of Key and Key[:Row], the same at each access. A
	// table uses the lower half of each: the upper half chose the key group, so it
	// differs little within a table.
	Hash, RowHash uint64
}

// PlaceOf returns the place of a key that is a row of its own, with a hash of all its
// bytes.
func PlaceOf(key []byte) *Place {
	h := xxh3.Hash(key)
	return &Place{key, len(key), h, h}
}

// hash returns the hash that the index uses.
func (p *Place) hash() uint32    { return uint32(p.Hash) }
func (p *Place) rowHash() uint32 { return uint32(p.RowHash) }
func (p *Place) rowKey() []byte  { return p.Key[:p.Row] }
