package rocks

import (
	"encoding/binary"
	"math/bits"
)

// address is where in an arena a block is: the number of its chunk, and where
// in the chunk it begins, in units. No block has address 0.
type address uint32

const (
	unitBytes     = 16
	chunkBits     = 14 // of an address: units in a chunk
	chunkBytes    = unitBytes << chunkBits
	firstChunk    = 4 << 10
	exactClasses  = 64 // of 1 to 64 units
	classes       = 96 // the others grow by a quarter or less
	ownChunk      = 255
	noAddress     = address(0)
	offsetInChunk = 1<<chunkBits - 1
)

// A block holds an entry: a header, the key, and the value. It has no
// pointers, so that the garbage collector looks at none of them.
//
//	key length (4) value length (4) epoch (4) class (1) flags (1) unused (2)
type block []byte

const headerBytes = 16

const (
	flagDeleted = 1 << iota // the entry is the absence of a value
	flagDead                // in a list of dirty entries, but replaced by another block
)

func (b block) keyLen() int       { return int(binary.NativeEndian.Uint32(b)) }
func (b block) valueLen() int     { return int(binary.NativeEndian.Uint32(b[4:])) }
func (b block) epoch() uint32     { return binary.NativeEndian.Uint32(b[8:]) }
func (b block) deleted() bool     { return b[13]&flagDeleted != 0 }
func (b block) dead() bool        { return b[13]&flagDead != 0 }
func (b block) setDead()          { b[13] |= flagDead }
func (b block) capacity() int     { return len(b) }
func (b block) key() []byte       { n := b.keyLen(); return b[headerBytes : headerBytes+n : headerBytes+n] }
func (b block) setEpoch(e uint32) { binary.NativeEndian.PutUint32(b[8:], e) }

func (b block) value() []byte {
	start := headerBytes + b.keyLen()
	end := start + b.valueLen()
	return b[start:end:end]
}

func (b block) setKey(key []byte) {
	binary.NativeEndian.PutUint32(b, uint32(len(key)))
	copy(b[headerBytes:], key)
}

// setValue sets the value, for which there is room, or the absence of one.
func (b block) setValue(value []byte, deleted bool) {
	binary.NativeEndian.PutUint32(b[4:], uint32(len(value)))
	b[13] = 0
	if deleted {
		b[13] = flagDeleted
	}
	copy(b[headerBytes+b.keyLen():], value)
}

func blockBytesFor(key, value []byte) int { return headerBytes + len(key) + len(value) }

// memory is the chunks of an arena. A copy stays good for the blocks that were
// there when it was made, in another goroutine too.
type memory [][]byte

// at returns a block, up to the end of its class.
func (m memory) at(a address) block {
	c := m[a>>chunkBits]
	start := int(a&offsetInChunk) * unitBytes
	b := c[start:]
	if class := b[12]; class != ownChunk {
		return block(b[:classBytes(class)])
	}
	return block(b)
}

// arena hands out blocks, and takes them back.
type arena struct {
	memory memory
	used   int // bytes of the chunk that is being filled
	at     int // its number
	free   [classes]address
	bytes  int64
}

// classOf returns the class of blocks for so many bytes.
func classOf(size int) uint8 {
	n := (size+unitBytes-1)/unitBytes - 1
	if n < exactClasses {
		return uint8(n)
	}
	l := bits.Len(uint(n))
	return uint8(exactClasses + (l-7)*4 + n>>(l-3)&3)
}

// classBytes returns the size of a class's blocks.
func classBytes(class uint8) int {
	if class < exactClasses {
		return (int(class) + 1) * unitBytes
	}
	l, quarter := int(class-exactClasses)/4+7, int(class-exactClasses)%4
	return (quarter + 5) << (l - 3) * unitBytes
}

// allocate returns a block with an empty header.
func (a *arena) allocate(size int) (address, block) {
	if len(a.memory) == 0 {
		a.memory = append(a.memory, nil) // so that no block has address 0
	}
	if size > chunkBytes {
		n := a.grow((size + unitBytes - 1) / unitBytes * unitBytes)
		b := block(a.memory[n])
		b[12] = ownChunk
		return address(n << chunkBits), b
	}
	class := classOf(size)
	size = classBytes(class)
	at := a.free[class]
	var b block
	if at != noAddress {
		b = a.memory.at(at)
		a.free[class] = address(binary.NativeEndian.Uint32(b))
		clear(b[:headerBytes])
	} else {
		if a.used+size > len(a.memory[a.at]) {
			a.at = a.grow(max(size, min(chunkBytes, max(firstChunk, 2*len(a.memory[a.at])))))
			a.used = 0
		}
		at = address(a.at<<chunkBits | a.used/unitBytes)
		b = block(a.memory[a.at][a.used : a.used+size])
		a.used += size
	}
	b[12] = class
	return at, b
}

func (a *arena) grow(size int) (chunk int) {
	a.memory = append(a.memory, make([]byte, size))
	a.bytes += int64(size)
	return len(a.memory) - 1
}

// release takes a block back. Nobody may look at it any more.
func (a *arena) release(at address) {
	b := a.memory.at(at)
	if class := b[12]; class != ownChunk {
		binary.NativeEndian.PutUint32(b, uint32(a.free[class]))
		a.free[class] = at
		return
	}
	a.bytes -= int64(len(b))
	a.memory[at>>chunkBits] = nil
}
