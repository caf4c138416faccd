package jobs

import (
	"math"
	"math/bits"

	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// zipf draws keys of which the r-th most frequent comes in proportion to
// r^-exponent. A draw depends on nothing but seed and n. It is made by
// rejection-inversion (Hörmann and Derflinger 1996), without a table of the
// keys.
type zipf struct {
	exponent float64
	keys     int64
	// Of the integral of x^-exponent: its ends, and from where a draw is taken
	// at once.
	first, last, shortcut float64
}

func newZipf(exponent float64, keys int64) *zipf {
	z := &zipf{exponent: exponent, keys: keys}
	z.first, z.last = z.integral(1.5)-1, z.integral(float64(keys)+0.5)
	z.shortcut = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

func (z *zipf) density(x float64) float64 { return math.Exp(-z.exponent * math.Log(x)) }

// integral is that of the density from 1 to x.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	if t := (1 - z.exponent) * log; t != 0 {
		return log * math.Expm1(t) / t
	}
	return log
}

func (z *zipf) inverse(y float64) float64 {
	t := max(-1, y*(1-z.exponent))
	if t == 0 {
		return math.Exp(y)
	}
	return math.Exp(y * math.Log1p(t) / t)
}

// rank returns the n-th draw: 1 is the most frequent key.
func (z *zipf) rank(seed uint64, n int64) int64 {
	for draw := nexmark.Fold(seed, uint64(n)); ; draw = nexmark.Fold(seed, draw) {
		u := z.last + float64(draw>>11)/(1<<53)*(z.first-z.last)
		x := z.inverse(u)
		k := min(max(1, math.Round(x)), float64(z.keys))
		if k-x <= z.shortcut || u >= z.integral(k+0.5)-z.density(k) {
			return int64(k)
		}
	}
}

// spread is a prime: times it, ranks that are next to one another are keys far
// apart.
const spread = 2_654_435_761

// key returns the n-th draw as a key below keys.
func (z *zipf) key(seed uint64, n int64) uint64 {
	high, low := bits.Mul64(uint64(z.rank(seed, n)-1), spread)
	return bits.Rem64(high, low, uint64(z.keys))
}
