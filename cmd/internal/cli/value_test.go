package cli

import "testing"

// A flag that is passed on as its text has the same value.
func TestBytesComeBack(t *testing.T) {
	for _, n := range []Bytes{0, 1, 1000, 1023, 1 << 10, 1<<10 + 1, 1_000_000, 1<<20 - 1, 3 << 20, 1<<30 + 512, 5 << 40, 1<<50 - 1} {
		var back Bytes
		if err := back.Set(n.String()); err != nil || back != n {
			t.Errorf("%d became %q, and that %d (%v)", int64(n), n.String(), int64(back), err)
		}
	}
}
