package upload

import (
	"context"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C returns the Castagnoli checksum of b.
func CRC32C(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// ExtendCRC32C returns the checksum of a‖b, given the checksum of a.
func ExtendCRC32C(a uint32, b []byte) uint32 { return crc32.Update(a, castagnoli, b) }

// CombineCRC32C returns the checksum of a‖b, given the checksums of a and b and
// the length of b in bytes.
func CombineCRC32C(a, b uint32, lengthB int64) uint32 {
	// Appending n bytes multiplies a by x^8n modulo the polynomial; the initial
	// and final inversions cancel out.
	return polyMul(polyPow(uint64(lengthB)*8), a) ^ b
}

// Polynomials over GF(2) modulo Castagnoli's, reflected: bit 31 is x^0.
const (
	polyOne = 1 << 31
	polyX   = 1 << 30
)

func polyMul(a, b uint32) uint32 {
	var sum uint32
	for ; a != 0; a <<= 1 {
		if a&polyOne != 0 {
			sum ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc32.Castagnoli
		}
	}
	return sum
}

// polyPow returns x^n.
func polyPow(n uint64) uint32 {
	result, square := uint32(polyOne), uint32(polyX)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = polyMul(result, square)
		}
		square = polyMul(square, square)
	}
	return result
}

// checksumReader reads r to its end, and returns its length and checksum.
func checksumReader(ctx context.Context, r io.Reader) (int64, uint32, error) {
	buf := make([]byte, 128<<10)
	var size int64
	var crc uint32
	for {
		if err := ctx.Err(); err != nil {
			return size, crc, err
		}
		n, err := r.Read(buf)
		crc = ExtendCRC32C(crc, buf[:n])
		size += int64(n)
		if err == io.EOF {
			return size, crc, nil
		}
		if err != nil {
			return size, crc, err
		}
	}
}
