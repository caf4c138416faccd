package rocks

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/tidemark/tidemark/engine/state"
)

// entries are blocks of an arena that do not change.
type entries struct {
	memory  memory
	parts   [][]address
	form    *state.CellForm // of their values; nil: as in RocksDB
	fold    state.Fold      // of operands; nil: there are none
	landing *landing        // nil: they are not to be written
	seal    seal
}

// blocks yields the blocks, dead ones too, in no order.
func (e entries) blocks() iter.Seq2[address, block] {
	return func(yield func(address, block) bool) {
		for _, part := range e.parts {
			for _, a := range part {
				if !yield(a, e.memory.view(a)) {
					return
				}
			}
		}
	}
}

// count is how many blocks there are, dead ones too.
func (e entries) count() (n int) {
	for _, part := range e.parts {
		n += len(part)
	}
	return n
}

// bytes is the length of keys and values together.
func (e entries) bytes() int64 {
	n := int64(0)
	for _, b := range e.blocks() {
		n += int64(b.keyLen() + b.valueLen())
	}
	return n
}

const (
	// bucketed is from how many entries on it pays to part them by the first
	// bytes of their keys, the key group, before they are sorted.
	bucketed    = 4096
	bucketBytes = 2
	buckets     = 1 << (8 * bucketBytes)
)

// sorted yields entries in the order of their keys.
type sorted struct {
	memory memory
	all    []address // bucket after bucket
	ends   []uint32  // of the buckets, in all; nil: one bucket
	bucket int
	order  []ranked // of the bucket
	next   int      // in order
}

// ranked is an address, and how its key begins, for comparisons that need not
// look at the block.
type ranked struct {
	high, low uint64
	at        address
}

// sort returns the entries that are not dead now, in order. It does not change
// e.
func (e entries) sort() *sorted {
	count := e.count()
	s := &sorted{memory: e.memory, all: make([]address, 0, count)}
	var of []uint16 // the bucket of each
	if count >= bucketed {
		of = make([]uint16, 0, count)
		s.ends = make([]uint32, buckets+1)
	}
	for a, b := range e.blocks() {
		if b.dead() {
			continue
		}
		s.all = append(s.all, a)
		if s.ends != nil {
			high, _ := beginning(b.key())
			bucket := uint16(high >> (64 - 8*bucketBytes))
			of = append(of, bucket)
			s.ends[int(bucket)+1]++
		}
	}
	if s.ends == nil {
		s.rank(s.all)
		return s
	}
	for i := range buckets {
		s.ends[i+1] += s.ends[i]
	}
	parted := make([]address, len(s.all))
	for i, a := range s.all { // ends[b] is where the next of b goes, and so becomes its end
		parted[s.ends[of[i]]] = a
		s.ends[of[i]]++
	}
	s.all = parted
	return s
}

// step moves to the next entry.
func (s *sorted) step() (b block, ok bool) {
	for {
		if s.next < len(s.order) {
			s.next++
			return s.memory.view(s.order[s.next-1].at), true
		}
		if s.ends == nil || s.bucket == buckets {
			return nil, false
		}
		start := uint32(0)
		if s.bucket > 0 {
			start = s.ends[s.bucket-1]
		}
		s.rank(s.all[start:s.ends[s.bucket]])
		s.bucket++
	}
}

func (s *sorted) rank(addresses []address) {
	s.order, s.next = s.order[:0], 0
	for _, a := range addresses {
		high, low := beginning(s.memory.view(a).key())
		s.order = append(s.order, ranked{high, low, a})
	}
	slices.SortFunc(s.order, func(a, b ranked) int {
		if a.high != b.high {
			return cmp.Compare(a.high, b.high)
		}
		if a.low != b.low {
			return cmp.Compare(a.low, b.low)
		}
		return bytes.Compare(s.memory.view(a.at).key(), s.memory.view(b.at).key())
	})
}

// beginning returns the first 16 bytes of a key, big-endian, with zeros behind
// a shorter one.
func beginning(key []byte) (high, low uint64) {
	if len(key) >= 16 {
		return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	}
	var b [16]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
}
