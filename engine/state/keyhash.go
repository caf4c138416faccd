package state

import (
	"fmt"

	"github.com/zeebo/xxh3"
)

// golden is 2^64 over the golden ratio, made odd.
const golden = 0x9E3779B97F4A7C15

// mix spreads x over all 64 bits: one step of SplitMix64.
func mix(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// combine adds the hash of the next part to the hash of the parts before it.
func combine(before, part uint64) uint64 { return mix(before*golden + part) }

// cutKey reads the key that src starts with, knowing its signature alone. It
// returns what follows the key, and the key's hash (KeyCodec.Hash).
func cutKey(key *signature, src []byte) (rest []byte, hash uint64, err error) {
	switch key.op {
	case "bool":
		x, rest, err := bigEndian(src, 1)
		return rest, mix(x), err
	case "int8", "int16", "int32", "int64":
		size := intBytes[key.op]
		x, rest, err := bigEndian(src, size)
		return rest, mix(uint64(signExtend(x^1<<(8*size-1), size))), err
	case "uint8", "uint16", "uint32", "uint64":
		x, rest, err := bigEndian(src, intBytes[key.op])
		return rest, mix(x), err
	case "string":
		raw, rest, err := cutString(src)
		if err != nil {
			return nil, 0, err
		}
		return rest, xxh3.Hash(unescaped(raw)), nil
	case "[n]":
		for range key.n {
			var part uint64
			if src, part, err = cutKey(key.elem, src); err != nil {
				return nil, 0, err
			}
			hash = combine(hash, part)
		}
		return src, hash, nil
	case "{}":
		for _, f := range key.fields {
			var part uint64
			if src, part, err = cutKey(f.typ, src); err != nil {
				return nil, 0, err
			}
			hash = combine(hash, part)
		}
		return src, hash, nil
	}
	return nil, 0, fmt.Errorf("%w: %v is no type of a key", ErrUnsupported, key)
}

var intBytes = map[string]int{
	"int8": 1, "int16": 2, "int32": 4, "int64": 8,
	"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
}
