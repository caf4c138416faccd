package rocks

import (
	"encoding/binary"
	"math/bits"
)

// address is where in an arena a block is: the number of its chunk, and where
// in the chunk it begins, in units. No block has address 0.
type address uint32

const (
	unitBytes     = 8
	chunkBits     = 15 // of an address: units in a chunk
	chunkUnits    = 1 << chunkBits
	chunkBytes    = unitBytes * chunkUnits
	firstChunk    = 4 << 10
	offsetInChunk = chunkUnits - 1
	noAddress     = address(0)
	leastUnits    = (headerBytes + unitBytes - 1) / unitBytes
)

// A block holds an entry: a header, the key, and the value. It has no
// pointers, so that the garbage collector looks at none of them.
//
//	key length (4) value length (4)
//	epoch (39 bits) touched (1 bit) units (3)
//	hash (4) flags (1)
//
// A free block has the addresses of the next and the previous one of its class
// for lengths. A block of more units than a chunk has by rule is alone in a chunk
// of its own, which goes when the block does.
//
// The goroutine that writes a checkpoint reads lengths, flags, key and value of
// the blocks that are its own, and not the second row, which may change under
// it.
type block []byte

const (
	headerBytes = 21
	unitsBits   = 24
	unitsMask   = 1<<unitsBits - 1
	touchedBit  = 1 << unitsBits
	epochShift  = unitsBits + 1
	// maxEntryBytes is the size of the largest block.
	maxEntryBytes = unitBytes << (unitsBits - 1)
)

const (
	flagDeleted = 1 << iota // the entry is the absence of a value
	flagDead                // in a list of dirty entries, but replaced by another block
	flagFree                // nobody's
	flagOperand             // the value is an operand
	flagAgain               // and so was what it replaced, which is spent
)

func (b block) keyLen() int   { return int(binary.NativeEndian.Uint32(b)) }
func (b block) valueLen() int { return int(binary.NativeEndian.Uint32(b[4:])) }
func (b block) key() []byte   { n := b.keyLen(); return b[headerBytes : headerBytes+n : headerBytes+n] }
func (b block) hash() uint32  { return binary.NativeEndian.Uint32(b[16:]) }
func (b block) deleted() bool { return b[20]&flagDeleted != 0 }
func (b block) dead() bool    { return b[20]&flagDead != 0 }
func (b block) free() bool    { return b[20]&flagFree != 0 }
func (b block) setDead()      { b[20] |= flagDead }
func (b block) operand() bool { return b[20]&flagOperand != 0 }
func (b block) again() bool   { return b[20]&flagAgain != 0 }

func (b block) value() []byte {
	start := headerBytes + b.keyLen()
	end := start + b.valueLen()
	return b[start:end:end]
}

func (b block) second() uint64 { return binary.NativeEndian.Uint64(b[8:]) }
func (b block) units() int     { return int(b.second() & unitsMask) }
func (b block) epoch() uint64  { return b.second() >> epochShift }
func (b block) touched() bool  { return b.second()&touchedBit != 0 }

// setEpoch also says that the block was touched: what is written is wanted.
func (b block) setEpoch(e uint64) {
	binary.NativeEndian.PutUint64(b[8:], e<<epochShift|b.second()&unitsMask|touchedBit)
}

// touch notes that the entry is wanted.
func (b block) touch() {
	if s := b.second(); s&touchedBit == 0 {
		binary.NativeEndian.PutUint64(b[8:], s|touchedBit)
	}
}

func (b block) untouch() { binary.NativeEndian.PutUint64(b[8:], b.second()&^touchedBit) }

// begin fills in a new block.
func (b block) begin(hash uint32, key []byte) {
	binary.NativeEndian.PutUint32(b, uint32(len(key)))
	binary.NativeEndian.PutUint64(b[8:], b.second()&unitsMask)
	binary.NativeEndian.PutUint32(b[16:], hash)
	copy(b[headerBytes:], key)
}

// setValue sets the value, for which there is room, and what the flags say of it.
func (b block) setValue(value []byte, flags byte) {
	binary.NativeEndian.PutUint32(b[4:], uint32(len(value)))
	b[20] = flags
	copy(b[headerBytes+b.keyLen():], value)
}

// memory is the chunks of an arena, each of at most chunkBytes, or of one larger
// block. A copy stays good for the blocks that were there when it was made, in
// another goroutine too.
type memory [][]byte

// at returns a block with all the room it has.
func (m memory) at(a address) block {
	b := block(m[a>>chunkBits][int(a&offsetInChunk)*unitBytes:])
	n := b.units() * unitBytes
	return b[:n:n]
}

// view returns what of a block another goroutine may look at.
func (m memory) view(a address) block {
	b := block(m[a>>chunkBits][int(a&offsetInChunk)*unitBytes:])
	n := headerBytes + b.keyLen() + b.valueLen()
	return b[:n:n]
}

// arena hands out blocks of the memory that it is given, and takes them back.
// Free blocks are found by their size in constant time: good fit in two levels
// of classes, with a bitmap of those that are not empty (Masmano et al., TLSF,
// ECRTS 2004). Neighbours are joined by the table's sweep.
type arena struct {
	memory   memory
	numbers  []uint32 // of chunks that were given back
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

// classOf returns the class that a block of so many units belongs to.
func classOf(units int) int {
	if units < exactClasses {
		return units
	}
	l := bits.Len(uint(units)) - 1
	return exactClasses + (l-7)<<classBits + units>>(l-classBits)&(1<<classBits-1)
}

// fitting returns the first class of which every block has so many units.
func fitting(units int) int { return classOf(roundUp(units)) }

// roundUp returns the size of the smallest block of the first class that fits.
func roundUp(units int) int {
	if units < exactClasses {
		return units
	}
	step := 1 << (bits.Len(uint(units)) - 1 - classBits)
	return (units + step - 1) / step * step
}

func unitsFor(size int) int { return max(leastUnits, (size+unitBytes-1)/unitBytes) }

// find returns a class that has a block of so many units, -1 if there is none.
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

// fits reports whether allocate will find room.
func (a *arena) fits(size int) bool { return a.find(unitsFor(size)) >= 0 }

// allocate returns a block to begin; noAddress if no memory is free.
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

// release takes a block back. Nobody may look at it any more. It returns the
// memory of a chunk that is no longer needed.
func (a *arena) release(at address) (chunk []byte) {
	if units := a.memory.at(at).units(); units <= chunkUnits {
		a.link(at, units)
		return nil
	}
	return a.drop(at >> chunkBits)
}

// link makes units at an address a free block.
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

// unlink takes a free block out of its list.
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

// add gives the arena a chunk, of whole units.
func (a *arena) add(chunk []byte) {
	if len(a.memory) == 0 {
		a.memory = append(a.memory, nil) // so that no block has address 0
	}
	n := uint32(len(a.memory))
	if last := len(a.numbers) - 1; last >= 0 {
		n = a.numbers[last]
		a.numbers = a.numbers[:last]
		a.memory[n] = chunk
	} else {
		a.memory = append(a.memory, chunk)
	}
	a.bytes += int64(len(chunk))
	a.link(address(n<<chunkBits), len(chunk)/unitBytes)
}

// drop takes a chunk out of the arena: one that has no blocks left but free
// ones, which must be unlinked.
func (a *arena) drop(number address) (chunk []byte) {
	chunk = a.memory[number]
	a.memory[number] = nil
	a.numbers = append(a.numbers, uint32(number))
	a.bytes -= int64(len(chunk))
	return chunk
}
