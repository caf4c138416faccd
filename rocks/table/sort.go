package table

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
)

// blocks are blocks of an arena that do not change.
type blocks struct {
	memory memory
	lists  [][]address
}

// each yields the blocks, dead ones too, in no order.
func (e blocks) each() iter.Seq2[address, block] {
	return func(yield func(address, block) bool) {
		for _, list := range e.lists {
			for _, a := range list {
				if !yield(a, e.memory.view(a)) {
					return
				}
			}
		}
	}
}

// count is the number of blocks, dead ones too.
func (e blocks) count() (n int) {
	for _, list := range e.lists {
		n += len(list)
	}
	return n
}

const (
	// bucketed is the least number of entries that it pays to part by the first bytes
	// of their keys, the key group, before sorting.
	bucketed    = 4096
	bucketBytes = 2
	buckets     = 1 << (8 * bucketBytes)
)

// sorted yields blocks in the order of their keys.
type sorted struct {
	memory memory
	all    []address // bucket after bucket
	ends   []uint32  // where the buckets end in all; nil: there is one bucket
	bucket int       // the next one
	order  []ranked  // the current one, sorted
	next   int       // in order
}

// ranked is a block with the beginning of its key, so that most comparisons need
// not read the block.
type ranked struct {
	high, low uint64
	at        address
}

// sort returns the blocks in order, but for dead ones.
func (e blocks) sort() *sorted {
	count := e.count()
	s := &sorted{memory: e.memory, all: make([]address, 0, count)}
	var of []uint16 // the bucket of each
	if count >= bucketed {
		of = make([]uint16, 0, count)
		s.ends = make([]uint32, buckets+1)
	}
	for a, b := range e.each() {
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
	for i, a := range s.all { // ends[b] is where the next of b goes; it ends up as the end of b
		parted[s.ends[of[i]]] = a
		s.ends[of[i]]++
	}
	s.all = parted
	return s
}

const (
	addressBytes = 4
	rankedBytes  = 24
)

// bytes is the memory that it takes, with the largest bucket at hand.
func (s *sorted) bytes() int {
	bucket, start := len(s.all), uint32(0)
	if s.ends != nil {
		bucket = 0
	}
	for _, end := range s.ends {
		bucket, start = max(bucket, int(end-start)), end
	}
	return addressBytes*(len(s.all)+len(s.ends)) + rankedBytes*bucket
}

// step returns the next block; nil at the end.
func (s *sorted) step() block {
	for {
		if s.next < len(s.order) {
			s.next++
			return s.memory.view(s.order[s.next-1].at)
		}
		if s.ends == nil || s.bucket == buckets {
			return nil
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
		x, y := s.memory.view(a.at), s.memory.view(b.at)
		switch c := bytes.Compare(x.key(), y.key()); {
		case c != 0:
			return c
		case x.head(): // before the entry that has the key of the row
			return -1
		case y.head():
			return 1
		}
		return 0
	})
}

// beginning returns the first 16 bytes of a key, big-endian, padded with zeros.
func beginning(key []byte) (high, low uint64) {
	if len(key) >= 16 {
		return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	}
	var b [16]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
}
