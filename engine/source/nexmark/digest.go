package nexmark

// A row's hash folds its fields in their order from zero; a table's digest is
// the wrapping sum of the hashes of its rows, so that it depends on no order.

// Fold takes the next field x of a row into its hash h.
func Fold(h, x uint64) uint64 { return mix(h*31 + x + golden) }

// FoldString takes a string, as the FNV-1a hash of its bytes.
func FoldString(h uint64, s string) uint64 {
	f := uint64(0xCBF29CE484222325)
	for i := range len(s) {
		f = (f ^ uint64(s[i])) * 0x100000001B3
	}
	return Fold(h, f)
}
