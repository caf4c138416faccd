package measure

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Summary describes a series of samples.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Low and High bound the median with a confidence of 95 %, by bootstrap.
	// With fewer than three samples they are Min and Max.
	Low  float64 `json:"ci95_low"`
	High float64 `json:"ci95_high"`
}

// Summarize describes a series, which it does not change. The Summary of an empty
// series is zero.
func Summarize(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	s := slices.Sorted(slices.Values(samples))
	sum := Summary{N: len(s), Median: median(s), Min: s[0], Max: s[len(s)-1]}
	sum.Low, sum.High = bootstrap(s)
	return sum
}

// Ratios divides a by b, pair by pair. A pair whose divisor is zero has no
// ratio and yields NaN.
func Ratios(a, b []float64) []float64 {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		if b[i] == 0 {
			ratios[i] = math.NaN()
			continue
		}
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

func median(sorted []float64) float64 {
	m := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[m]
	}
	return (sorted[m-1] + sorted[m]) / 2
}

const (
	resamples = 2000
	tail      = resamples / 40 // 2.5 %
)

func bootstrap(sorted []float64) (low, high float64) {
	n := len(sorted)
	if n < 3 {
		return sorted[0], sorted[n-1]
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	medians, draw := make([]float64, resamples), make([]float64, n)
	for i := range medians {
		for j := range draw {
			draw[j] = sorted[rng.IntN(n)]
		}
		slices.Sort(draw)
		medians[i] = median(draw)
	}
	slices.Sort(medians)
	return medians[tail], medians[resamples-1-tail]
}

// Order returns the order of the arms in a round, counted from 0: forwards in even
// rounds and backwards in odd ones, so that a drift of the machine favours none.
func Order(round, arms int) []int {
	order := make([]int, arms)
	for i := range order {
		order[i] = i
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}
