package table

import "encoding/binary"

// A block holds an entry: a header, the key and the value. It has no pointers,
// so the garbage collector never looks inside.
//
//	key length (4) value length (4)
//	generation (39 bits) recent (1 bit) units (24 bits)
//	hash (4) flags (1)
//
// A free block holds the addresses of its neighbours in the list of its size
// class where the lengths would be. A block of more than chunkUnits lies alone
// in a chunk of its own, which is given back with it.
//
// The goroutine that writes a flush reads lengths, flags, key and value of the
// flush's blocks. It must not read the second row, which the owner may change.
type block []byte

const (
	headerBytes     = 21
	unitsBits       = 24
	unitsMask       = 1<<unitsBits - 1
	recentBit       = 1 << unitsBits
	generationShift = unitsBits + 1
)

const (
	flagDeleted = 1 << iota // a tombstone
	flagDead                // replaced, but still in a list of dirty entries
	flagFree                // free memory
	flagOperand             // the value is an operand
	flagNew                 // Below has no such key, while the block is in no flush and dirty
	flagHead                // no entry: it says something of its row (clear.go)
)

func (b block) keyLen() int   { return int(binary.NativeEndian.Uint32(b)) }
func (b block) valueLen() int { return int(binary.NativeEndian.Uint32(b[4:])) }
func (b block) key() []byte   { n := b.keyLen(); return b[headerBytes : headerBytes+n : headerBytes+n] }
func (b block) hash() uint32  { return binary.NativeEndian.Uint32(b[16:]) }
func (b block) deleted() bool { return b[20]&flagDeleted != 0 }
func (b block) dead() bool    { return b[20]&flagDead != 0 }
func (b block) free() bool    { return b[20]&flagFree != 0 }
func (b block) setDead()      { b[20] |= flagDead }
func (b block) head() bool    { return b[20]&flagHead != 0 }
func (b block) operand() bool { return b[20]&flagOperand != 0 }

func (b block) value() []byte {
	start := headerBytes + b.keyLen()
	end := start + b.valueLen()
	return b[start:end:end]
}

func (b block) second() uint64     { return binary.NativeEndian.Uint64(b[8:]) }
func (b block) units() int         { return int(b.second() & unitsMask) }
func (b block) generation() uint64 { return b.second() >> generationShift }
func (b block) recent() bool       { return b.second()&recentBit != 0 }

// setGeneration also marks the entry as recently used.
func (b block) setGeneration(g uint64) {
	binary.NativeEndian.PutUint64(b[8:], g<<generationShift|b.second()&unitsMask|recentBit)
}

func (b block) markRecent() {
	if s := b.second(); s&recentBit == 0 {
		binary.NativeEndian.PutUint64(b[8:], s|recentBit)
	}
}

func (b block) clearRecent() { binary.NativeEndian.PutUint64(b[8:], b.second()&^recentBit) }

// begin fills in a new block.
func (b block) begin(hash uint32, key []byte) {
	binary.NativeEndian.PutUint32(b, uint32(len(key)))
	binary.NativeEndian.PutUint64(b[8:], b.second()&unitsMask)
	binary.NativeEndian.PutUint32(b[16:], hash)
	copy(b[headerBytes:], key)
}

// setValue sets the value, which must fit, and the flags.
func (b block) setValue(value []byte, flags byte) {
	binary.NativeEndian.PutUint32(b[4:], uint32(len(value)))
	b[20] = flags
	copy(b[headerBytes+b.keyLen():], value)
}
