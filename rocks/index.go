package rocks

import (
	"bytes"
	"math/bits"
)

// index finds blocks by key: open addressing, in segments, so that to grow one
// holds nobody up for long.
type index struct {
	segments [segments]segment
	entries  int
	bytes    int64
}

const (
	segmentBits = 6
	segments    = 1 << segmentBits
	firstSlots  = 8
	slotBytes   = 8
)

// segment's slots hold the lower half of a hash above an address; 0 is empty.
type segment struct {
	slots []uint64
	used  int
}

// find returns the block of a key.
func (x *index) find(m memory, hash uint64, key []byte) (address, block) {
	s := &x.segments[hash>>(64-segmentBits)]
	if len(s.slots) == 0 {
		return noAddress, nil
	}
	mask := uint32(len(s.slots) - 1)
	for i := uint32(hash) & mask; ; i = (i + 1) & mask {
		slot := s.slots[i]
		if slot == 0 {
			return noAddress, nil
		}
		if uint32(slot>>32) == uint32(hash) {
			if b := m.at(address(slot)); bytes.Equal(b.key(), key) {
				return address(slot), b
			}
		}
	}
}

// first returns the slot where the search for a hash begins.
func (x *index) first(hash uint64) uint64 {
	s := &x.segments[hash>>(64-segmentBits)]
	if len(s.slots) == 0 {
		return 0
	}
	return s.slots[uint32(hash)&uint32(len(s.slots)-1)]
}

// add adds a key that is not there.
func (x *index) add(hash uint64, at address) {
	s := &x.segments[hash>>(64-segmentBits)]
	if 4*(s.used+1) > 3*len(s.slots) {
		x.bytes += int64(s.grow()) * slotBytes
	}
	s.put(uint64(uint32(hash))<<32 | uint64(at))
	s.used++
	x.entries++
}

// replace has a key's block be another.
func (x *index) replace(hash uint64, from, to address) {
	s := &x.segments[hash>>(64-segmentBits)]
	mask := uint32(len(s.slots) - 1)
	want := uint64(uint32(hash))<<32 | uint64(from)
	for i := uint32(hash) & mask; ; i = (i + 1) & mask {
		if s.slots[i] == want {
			s.slots[i] = uint64(uint32(hash))<<32 | uint64(to)
			return
		}
	}
}

func (s *segment) put(slot uint64) {
	mask := uint32(len(s.slots) - 1)
	i := uint32(slot>>32) & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
}

func (s *segment) grow() (added int) {
	before := s.slots
	s.slots = make([]uint64, max(firstSlots, 2*len(before)))
	for _, slot := range before {
		if slot != 0 {
			s.put(slot)
		}
	}
	return len(s.slots) - len(before)
}

// addresses returns the addresses of all blocks in ascending order, in which
// memory is read fastest.
func (x *index) addresses(m memory) []address {
	const word = 64
	there := make([]uint64, len(m)<<chunkBits/word)
	for i := range x.segments {
		for _, slot := range x.segments[i].slots {
			if at := address(slot); at != noAddress {
				there[at/word] |= 1 << (at % word)
			}
		}
	}
	all := make([]address, 0, x.entries)
	for i, w := range there {
		for ; w != 0; w &= w - 1 {
			all = append(all, address(i*word+bits.TrailingZeros64(w)))
		}
	}
	return all
}
