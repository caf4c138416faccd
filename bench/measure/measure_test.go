package measure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/bench/measure"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    measure.Summary
	}{
		{nil, measure.Summary{}},
		{[]float64{4}, measure.Summary{N: 1, Median: 4, Min: 4, Max: 4, Low: 4, High: 4}},
		{[]float64{4, 2}, measure.Summary{N: 2, Median: 3, Min: 2, Max: 4, Low: 2, High: 4}},
		{[]float64{7, 7, 7, 7}, measure.Summary{N: 4, Median: 7, Min: 7, Max: 7, Low: 7, High: 7}},
	} {
		before := slices.Clone(c.samples)
		if got := measure.Summarize(c.samples); got != c.want {
			t.Errorf("Summarize(%v) = %+v, want %+v", c.samples, got, c.want)
		}
		if !slices.Equal(before, c.samples) {
			t.Errorf("Summarize changed its argument %v to %v", before, c.samples)
		}
	}
}

// The interval of a median of normal samples holds the true one about as often
// as it says.
func TestConfidence(t *testing.T) {
	const seed, series = 7, 300
	rng := rand.New(rand.NewPCG(seed, 0))
	holds := 0
	for range series {
		samples := make([]float64, 25)
		for i := range samples {
			samples[i] = 1 + 0.1*rng.NormFloat64()
		}
		s := measure.Summarize(samples)
		if s.Low > s.Median || s.Median > s.High || s.Low < s.Min || s.High > s.Max {
			t.Fatalf("seed %d: out of order: %+v", seed, s)
		}
		if s.Low <= 1 && 1 <= s.High {
			holds++
		}
	}
	if holds < series*85/100 || holds == series {
		t.Errorf("seed %d: the interval held the true median in %d of %d series, want about 95 %%", seed, holds, series)
	}
}

func TestRatios(t *testing.T) {
	got := measure.Ratios([]float64{1, 3, 5}, []float64{2, 0})
	if len(got) != 2 || got[0] != 0.5 || !math.IsNaN(got[1]) {
		t.Errorf("Ratios = %v, want [0.5 NaN]", got)
	}
}

func TestOrder(t *testing.T) {
	for round, want := range []string{"[0 1 2]", "[2 1 0]", "[0 1 2]"} {
		if got := fmt.Sprint(measure.Order(round, 3)); got != want {
			t.Errorf("round %d: %s, want %s", round, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	s := func(low, median, high float64) measure.Summary {
		return measure.Summary{N: 5, Low: low, Median: median, High: high}
	}
	for _, c := range []struct {
		bar  measure.Bar
		s    measure.Summary
		want measure.Verdict
	}{
		{measure.Bar{}, s(1, 2, 3), measure.NoBar},
		{measure.Bar{AtLeast: 0.95}, s(0.95, 0.97, 1), measure.Reached},
		{measure.Bar{AtLeast: 0.95}, s(0.9, 0.97, 1), measure.Open},
		{measure.Bar{AtLeast: 0.95}, s(0.8, 0.9, 0.97), measure.Open},
		{measure.Bar{AtLeast: 0.95}, s(0.8, 0.9, 0.94), measure.Missed},
		{measure.Bar{AtMost: 2}, s(1, 1.5, 2), measure.Reached},
		{measure.Bar{AtMost: 2}, s(2.1, 2.2, 2.3), measure.Missed},
		{measure.Bar{AtMost: 2}, measure.Summary{}, measure.Missed},
		{measure.Bar{AtLeast: 1}, s(math.NaN(), math.NaN(), math.NaN()), measure.Missed},
	} {
		if got := c.bar.Judge(c.s); got != c.want {
			t.Errorf("bar %v: %+v is %q, want %q", c.bar, c.s, got, c.want)
		}
	}
}
