package suite

import (
	"math"
	"testing"
)

// The hottest hundredth of the keys gets as much as Zipf's law says, and the
// power law that stands for it in db_bench as much.
func TestHottest(t *testing.T) {
	// By hand: keys 1 to 3 of 300, exponent 1.
	var all float64
	for r := 1; r <= 300; r++ {
		all += 1 / float64(r)
	}
	if got, want := hottest(300, 1), (1+1.0/2+1.0/3)/all; math.Abs(got-want) > 1e-9 {
		t.Errorf("hottest(300, 1) = %v, want %v", got, want)
	}
}
