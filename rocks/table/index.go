package table

import "bytes"

// index finds blocks by key. It is a hash table with open addressing, divided
// into segments that grow one at a time, so that no single insertion takes long.
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

// segment's slots hold a hash in the upper half and an address in the lower; 0 is
// an empty slot. The upper bits of the hash choose the segment, the lower bits the
// slot.
type segment struct {
	slots []uint64
	used  int
}

func slotOf(hash uint32, at address) uint64 { return uint64(hash)<<32 | uint64(at) }

func (x *index) segment(hash uint32) *segment { return &x.segments[hash>>(32-segmentBits)] }

// find returns the block of a key. In an index of rows, key is a row, and find
// returns one block of it.
func (x *index) find(m memory, hash uint32, key []byte, row bool) (address, block) {
	s := x.segment(hash)
	if len(s.slots) == 0 {
		return noAddress, nil
	}
	mask := uint32(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := s.slots[i]
		if slot == 0 {
			return noAddress, nil
		}
		if uint32(slot>>32) == hash {
			b := m.at(address(slot))
			if k := b.key(); bytes.Equal(k, key) || row && bytes.HasPrefix(k, key) {
				return address(slot), b
			}
		}
	}
}

// first returns the content of the slot where the search for a hash begins.
func (x *index) first(hash uint32) uint64 {
	s := x.segment(hash)
	if len(s.slots) == 0 {
		return 0
	}
	return s.slots[hash&uint32(len(s.slots)-1)]
}

// withHash yields the blocks of all keys with a hash.
func (x *index) withHash(hash uint32) func(yield func(address) bool) {
	return func(yield func(address) bool) {
		s := x.segment(hash)
		if len(s.slots) == 0 {
			return
		}
		mask := uint32(len(s.slots) - 1)
		for i := hash & mask; s.slots[i] != 0; i = (i + 1) & mask {
			if uint32(s.slots[i]>>32) == hash && !yield(address(s.slots[i])) {
				return
			}
		}
	}
}

// add adds the block of a key that the index does not have.
func (x *index) add(hash uint32, at address) {
	s := x.segment(hash)
	if 4*(s.used+1) > 3*len(s.slots) {
		x.bytes += int64(s.grow()) * slotBytes
	}
	s.put(slotOf(hash, at))
	s.used++
	x.entries++
}

// replace points a key at another block.
func (x *index) replace(hash uint32, from, to address) {
	s := x.segment(hash)
	if i, ok := s.find(slotOf(hash, from)); ok {
		s.slots[i] = slotOf(hash, to)
	}
}

// remove removes a block and reports whether the index had it.
func (x *index) remove(hash uint32, at address) bool {
	s := x.segment(hash)
	gap, ok := s.find(slotOf(hash, at))
	if !ok {
		return false
	}
	// Move entries back into the gap that a search would otherwise stop at.
	mask := uint32(len(s.slots) - 1)
	for i := (gap + 1) & mask; s.slots[i] != 0; i = (i + 1) & mask {
		home := uint32(s.slots[i]>>32) & mask
		if (i-home)&mask >= (i-gap)&mask {
			s.slots[gap] = s.slots[i]
			gap = i
		}
	}
	s.slots[gap] = 0
	s.used--
	x.entries--
	return true
}

func (s *segment) find(want uint64) (i uint32, ok bool) {
	if len(s.slots) == 0 {
		return 0, false
	}
	mask := uint32(len(s.slots) - 1)
	for i = uint32(want>>32) & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if s.slots[i] == want {
			return i, true
		}
	}
	return 0, false
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
