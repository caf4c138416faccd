package table

import (
	"encoding/binary"
	"math/bits"
)

// address says where in an arena a block begins: the number of its chunk, and
// the offset in the chunk in units. No block has address 0.
type address uint32

const (
	unitBytes     = 8
	chunkBits     = 15 // of an address: the offset
	chunkUnits    = 1 << chunkBits
	chunkBytes    = unitBytes * chunkUnits
	maxChunks     = 1 << (32 - chunkBits)
	firstChunk    = 4 << 10
	offsetInChunk = chunkUnits - 1
	noAddress     = address(0)
	leastUnits    = (headerBytes + unitBytes - 1) / unitBytes
	maxEntryBytes = unitBytes << (unitsBits - 1) // size of the largest block
)

// MaxBytes is the most memory that a Budget may have: addresses in a table
// reach no further than 32 GiB.
const MaxBytes = 31 << 30

// memory is the chunks of an arena. Each has at most chunkBytes, or holds one
// larger block. A copy of the slice stays valid for the blocks that existed when
// it was made, in other goroutines too.
type memory [][]byte

// at returns a block with all of its units.
func (m memory) at(a address) block {
	b := block(m[a>>chunkBits][int(a&offsetInChunk)*unitBytes:])
	n := b.units() * unitBytes
	return b[:n:n]
}

// view returns the part of a block that other goroutines may read.
func (m memory) view(a address) block {
	b := block(m[a>>chunkBits][int(a&offsetInChunk)*unitBytes:])
	n := headerBytes + b.keyLen() + b.valueLen()
	return b[:n:n]
}

// arena allocates blocks from the chunks that it is given. It finds a free block
// in constant time: good fit over two levels of size classes, with a bitmap of
// the classes that are not empty (Masmano et al., TLSF, ECRTS 2004). The table's
// sweep joins free neighbours.
type arena struct {
	memory   memory
	unused   []uint32 // numbers of chunks that were dropped
	free     [classes]address
	nonempty [(classes + 63) / 64]uint64
	bytes    int64 // of all chunks
	idle     int64 // of free blocks
}

const (
	exactClasses = 128 // of 0 to 127 units
	classBits    = 3   // eighths of a power of two beyond
	classes      = exactClasses + (unitsBits-7)<<classBits
)

// classOf returns the class of a block by its units.
func classOf(units int) int {
	if units < exactClasses {
		return units
	}
	l := bits.Len(uint(units)) - 1
	return exactClasses + (l-7)<<classBits + units>>(l-classBits)&(1<<classBits-1)
}

// fitting returns the first class all of whose blocks have the units.
func fitting(units int) int { return classOf(roundUp(units)) }

// roundUp returns the units of the smallest block in the first class that fits.
func roundUp(units int) int {
	if units < exactClasses {
		return units
	}
	step := 1 << (bits.Len(uint(units)) - 1 - classBits)
	return (units + step - 1) / step * step
}

func unitsFor(size int) int { return max(leastUnits, (size+unitBytes-1)/unitBytes) }

// find returns a class with a free block of at least the units; -1: there is none.
func (a *arena) find(units int) int {
	c := fitting(units)
	word := c / 64
	if w := a.nonempty[word] >> (c % 64); w != 0 {
		return c + bits.TrailingZeros64(w)
	}
	for word++; word < len(a.nonempty); word++ {
		if w := a.nonempty[word]; w != 0 {
			return word*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// fits reports whether allocate will succeed.
func (a *arena) fits(size int) bool { return a.find(unitsFor(size)) >= 0 }

// allocate returns a new block; noAddress: no free block is large enough.
func (a *arena) allocate(size int) (address, block) {
	units := unitsFor(size)
	c := a.find(units)
	if c < 0 {
		return noAddress, nil
	}
	at := a.free[c]
	b := a.memory.at(at)
	have := b.units()
	a.unlink(at, b)
	if rest := have - units; rest >= leastUnits && have <= chunkUnits {
		a.link(at+address(units), rest)
		have = units
	}
	binary.NativeEndian.PutUint64(b[8:], uint64(have))
	b[20] = 0
	return at, b[: have*unitBytes : have*unitBytes]
}

// release frees a block, which nobody may read any more. If the block had a chunk
// of its own, release returns that chunk.
func (a *arena) release(at address) (chunk []byte) {
	if units := a.memory.at(at).units(); units <= chunkUnits {
		a.link(at, units)
		return nil
	}
	return a.drop(at >> chunkBits)
}

// link adds a free block to the list of its class.
func (a *arena) link(at address, units int) {
	b := block(a.memory[at>>chunkBits][int(at&offsetInChunk)*unitBytes:])
	c := classOf(units)
	next := a.free[c]
	binary.NativeEndian.PutUint32(b, uint32(next))
	binary.NativeEndian.PutUint32(b[4:], uint32(noAddress))
	binary.NativeEndian.PutUint64(b[8:], uint64(units))
	b[20] = flagFree
	if next != noAddress {
		binary.NativeEndian.PutUint32(a.memory.at(next)[4:], uint32(at))
	}
	a.free[c] = at
	a.nonempty[c/64] |= 1 << (c % 64)
	a.idle += int64(units) * unitBytes
}

// unlink removes a free block from the list of its class.
func (a *arena) unlink(at address, b block) {
	c := classOf(b.units())
	next, previous := address(b.keyLen()), address(b.valueLen())
	if next != noAddress {
		binary.NativeEndian.PutUint32(a.memory.at(next)[4:], uint32(previous))
	}
	switch {
	case previous != noAddress:
		binary.NativeEndian.PutUint32(a.memory.at(previous), uint32(next))
	case next == noAddress:
		a.free[c] = noAddress
		a.nonempty[c/64] &^= 1 << (c % 64)
	default:
		a.free[c] = next
	}
	a.idle -= int64(b.units()) * unitBytes
}

// full reports whether every chunk number is in use.
func (a *arena) full() bool { return len(a.memory) == maxChunks && len(a.unused) == 0 }

// add gives the arena a chunk, which is a multiple of unitBytes. The arena must
// not be full.
func (a *arena) add(chunk []byte) {
	if len(a.memory) == 0 {
		a.memory = append(a.memory, nil) // so that no block has address 0
	}
	n := uint32(len(a.memory))
	if last := len(a.unused) - 1; last >= 0 {
		n = a.unused[last]
		a.unused = a.unused[:last]
		a.memory[n] = chunk
	} else {
		a.memory = append(a.memory, chunk)
	}
	a.bytes += int64(len(chunk))
	a.link(address(n<<chunkBits), len(chunk)/unitBytes)
}

// drop removes a chunk in which no block is in use, nor in a list of free blocks.
func (a *arena) drop(number address) (chunk []byte) {
	chunk = a.memory[number]
	a.memory[number] = nil
	a.unused = append(a.unused, uint32(number))
	a.bytes -= int64(len(chunk))
	return chunk
}
