package nexmark

// A row's hash folds its fields in order, from zero. A table's digest is the
// wrapping sum of its rows' hashes, so the order of the rows does not matter.

// Fold adds the next field x of a row to its hash h.
func Fold(h, x uint64) uint64 { return mix(h*31 + x + golden) }

// FoldString adds a string, by the FNV-1a hash of its bytes.
func FoldString(h uint64, s string) uint64 {
	f := uint64(0xCBF29CE484222325)
	for i := range len(s) {
		f = (f ^ uint64(s[i])) * 0x100000001B3
	}
	return Fold(h, f)
}
