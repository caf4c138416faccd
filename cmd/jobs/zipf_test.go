package jobs_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/cmd/jobs"
)

// Skewed keys come as often as Zipf's law says, whichever way the exponent lies
// from 1, and draw n is the same whenever it is asked for.
func TestZipf(t *testing.T) {
	const keys, draws, seed = 1000, 400_000, 5
	for _, exponent := range []float64{0.5, 0.99, 1, 1.5} {
		o := jobs.Options{Keys: keys, Events: keys + draws, Seed: seed, ZipfExponent: exponent}
		u, again := jobs.UpdateKeysOf(o), jobs.UpdateKeysOf(o)
		counts := make([]int, keys)
		for n := int64(0); n < keys+draws; n++ {
			k := u.Key(n)
			if n < keys && k != uint64(n) {
				t.Fatalf("record %d is key %d: each key is written once first", n, k)
			}
			if n%997 == 0 && again.Key(n) != k {
				t.Fatalf("exponent %v, seed %d: record %d is %d and %d", exponent, seed, n, k, again.Key(n))
			}
			if n >= keys {
				counts[k]++
			}
		}
		if slices.Index(counts, slices.Max(counts)) != 0 || counts[1] > counts[0]/2 {
			t.Errorf("exponent %v: key 0 came %d times, key 1 %d, the most frequent %d", exponent, counts[0], counts[1], slices.Max(counts))
		}
		slices.SortFunc(counts, func(a, b int) int { return b - a })
		var sum float64
		for r := 1; r <= keys; r++ {
			sum += math.Pow(float64(r), -exponent)
		}
		for _, r := range []int{1, 2, 3, 10, 100} {
			want := draws * math.Pow(float64(r), -exponent) / sum
			// Ranks by count are not those of the law where counts are close.
			if got := float64(counts[r-1]); math.Abs(got-want) > 6*math.Sqrt(want)+0.02*want {
				t.Errorf("exponent %v, seed %d: rank %d came %.0f times, want %.0f", exponent, seed, r, got, want)
			}
		}
	}
}
