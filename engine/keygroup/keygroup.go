package keygroup

import (
	"encoding/binary"
	"fmt"
)

// Limits and the default of a job's max parallelism. A group has two bytes in a
// key's prefix, hence MaxGroups.
const (
	DefaultGroups = 128
	MaxGroups     = 1 << 15
	PrefixBytes   = 2
)

// KeyGroup is one of a job's max-parallelism groups of keys.
type KeyGroup uint16

// Of returns the group of a key with this hash. It uses the upper half of the hash,
// by multiplication, so max need not be a power of two. Hash tables may use the
// lower half.
func Of(hash uint64, max int) KeyGroup {
	return KeyGroup(((hash >> 32) * uint64(max)) >> 32)
}

// AppendPrefix appends g's key prefix, PrefixBytes long and big-endian.
func AppendPrefix(dst []byte, g KeyGroup) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(g))
}

// FromPrefix returns the group that key starts with. key must have at least
// PrefixBytes.
func FromPrefix(key []byte) KeyGroup {
	return KeyGroup(binary.BigEndian.Uint16(key))
}

// Range is the half-open range [Start, End) of key groups.
type Range struct {
	Start, End int
}

// Contains reports whether g lies in r.
func (r Range) Contains(g KeyGroup) bool { return int(g) >= r.Start && int(g) < r.End }

// Len returns the number of groups in r.
func (r Range) Len() int { return max(0, r.End-r.Start) }

// Intersect returns the groups that are in both r and o; it may be empty (Len 0).
func (r Range) Intersect(o Range) Range {
	s := Range{max(r.Start, o.Start), min(r.End, o.End)}
	if s.End <= s.Start {
		return Range{}
	}
	return s
}

// String renders r as "[start,end)".
func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.Start, r.End) }

// Assign returns the range that subtask index of parallelism owns. It panics if
// index is outside [0, parallelism) or parallelism outside [1, maxParallelism];
// both are checked when a job is built.
func Assign(maxParallelism, parallelism, index int) Range {
	if parallelism < 1 || parallelism > maxParallelism || index < 0 || index >= parallelism {
		panic(fmt.Sprintf("keygroup: no subtask %d of %d over %d groups", index, parallelism, maxParallelism))
	}
	return Range{
		Start: (index*maxParallelism + parallelism - 1) / parallelism,
		End:   ((index+1)*maxParallelism + parallelism - 1) / parallelism,
	}
}

// Owner returns the subtask that owns g.
func Owner(maxParallelism, parallelism int, g KeyGroup) int {
	return int(g) * parallelism / maxParallelism
}
