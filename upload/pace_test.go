package upload

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestPace(t *testing.T) { // I11
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	type cut struct{ began, now float64 }
	for what, c := range map[string]struct {
		cuts []cut
		at   float64
		want rate.Limit
	}{
		"never throttled":                     {nil, 0, rate.Inf},
		"once":                                {[]cut{{0, 1}}, 1, firstPace},
		"began before the cut":                {[]cut{{0, 1}, {0.5, 1.5}}, 1, firstPace},
		"again":                               {[]cut{{0, 1}, {1, 1}}, 1, firstPace / 2},
		"three times":                         {[]cut{{0, 1}, {1, 1}, {1, 1}}, 1, firstPace / 4},
		"doubles in ten seconds":              {[]cut{{0, 1}}, 11, 2 * firstPace},
		"four times in twenty":                {[]cut{{0, 1}}, 21, 4 * firstPace},
		"halves what it had become":           {[]cut{{0, 1}, {1, 1}, {11, 11}}, 11, firstPace / 2},
		"never starts above the first":        {[]cut{{0, 1}, {29, 30}}, 30, firstPace},
		"free at last":                        {[]cut{{0, 1}}, 40, rate.Inf},
		"throttled when it is free":           {[]cut{{0, 1}, {99, 100}}, 100, firstPace},
		"never slower than one a second":      {[]cut{{0, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, 1, slowPace},
		"and faster from there on, in time":   {[]cut{{0, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, 31, 8 * slowPace},
		"a clock that goes back does no harm": {[]cut{{0, 11}, {12, 1}}, 1, firstPace / 4},
	} {
		var p pace
		for _, cut := range c.cuts {
			p = p.throttled(at(cut.began), at(cut.now))
		}
		if got := p.at(at(c.at)); got < 0.99*c.want || got > 1.01*c.want {
			t.Errorf("%s: %v operations a second, want %v", what, got, c.want)
		}
	}
}
