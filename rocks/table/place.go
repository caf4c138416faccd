package table

import (
	"math/bits"
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// Place says where an entry is. A row holds the entries of one key of the user's: a
// value, or those of a map or a list. The keys of a row share a prefix, and no key of
// another row begins with it.
type Place struct {
	Key []byte
	Row int // length of the row's part of Key
	// Hash and RowHash are hashes of Key and Key[:Row], the same at each access.
	Hash, RowHash uint64
}

// PlaceOf returns the place of a key that is a row of its own, with a hash of all its
// bytes.
func PlaceOf(key []byte) *Place {
	h := xxh3.Hash(key)
	return &Place{key, len(key), h, h}
}

// seeds differ in each process. So nobody can choose keys that a table's index confuses,
// unless their whole hashes are the same.
var seeds = [2]uint64{rand.Uint64(), rand.Uint64() | 1}

// seeded returns the hash that an index uses. All bits of a hash count: the upper half
// chose the key group, so it differs little within a table.
func seeded(hash uint64) uint32 {
	high, low := bits.Mul64(hash^seeds[0], seeds[1])
	return uint32(high ^ low)
}

func (p *Place) hash() uint32    { return seeded(p.Hash) }
func (p *Place) rowHash() uint32 { return seeded(p.RowHash) }
func (p *Place) rowKey() []byte  { return p.Key[:p.Row] }
