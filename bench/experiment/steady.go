package experiment

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/cmd/launch"
)

// errTooShort: a run has too few points for a figure of a part of it.
var errTooShort = errors.New("the run is too short to tell how it went on")

// at returns the point at which v reached x, by linear interpolation.
func at(points []launch.Point, x float64, v func(launch.Point) float64) (p launch.Point, ok bool) {
	var before launch.Point // the beginning: all zero
	for _, p := range points {
		if v(p) < x {
			before = p
			continue
		}
		if v(p) == v(before) {
			return p, true
		}
		share := (x - v(before)) / (v(p) - v(before))
		between := func(a, b float64) float64 { return a + share*(b-a) }
		return launch.Point{
			WallS: between(before.WallS, p.WallS), CPUS: between(before.CPUS, p.CPUS),
			Events: int64(between(float64(before.Events), float64(p.Events))), RSSBytes: p.RSSBytes, GoBytes: p.GoBytes,
		}, true
	}
	return before, false
}

func events(p launch.Point) float64 { return float64(p.Events) }
func wallS(p launch.Point) float64  { return p.WallS }

// AtEvent returns the point at which a run had read n events, by linear
// interpolation; not ok: it never had.
func AtEvent(points []launch.Point, n int64) (p launch.Point, ok bool) {
	return at(points, float64(n), events)
}

// leastPoints is the least number of points behind a figure.
const leastPoints = 4

// After restricts the figures of a run to the time from the n-th event until the
// last was read. If the run was too short for that, it changes nothing.
func After(s Sample, points []launch.Point, first int64) (Sample, error) {
	if len(points) == 0 {
		return s, errTooShort
	}
	last := points[len(points)-1].Events
	from, ok := AtEvent(points, first)
	to, _ := AtEvent(points, last)
	n := 0
	for _, p := range points {
		if p.WallS > from.WallS && p.WallS <= to.WallS {
			n++
		}
	}
	if !ok || n < leastPoints || to.CPUS <= from.CPUS || to.Events <= from.Events {
		return s, errTooShort
	}
	rest := float64(to.Events - from.Events)
	s.Values[EventsPerCPUS] = rest / (to.CPUS - from.CPUS)
	s.Values[EventsPerS] = rest / (to.WallS - from.WallS)
	s.Values[CPUMicros] = 1e6 / s.Values[EventsPerCPUS]
	return s, nil
}

// AfterIfLong is After if the run was long enough. Else the figures are of the whole
// run, and a note says so.
func AfterIfLong(s Sample, points []launch.Point, first int64) Sample {
	s, err := After(s, points, first)
	if err != nil {
		s.Note = fmt.Sprintf("its figures are of the whole run, the first %d events too: %v", first, err)
	}
	return s
}

// Quarters returns the throughput in each quarter of the time until the last
// event was read, in events a second.
func Quarters(points []launch.Point) (q [4]float64, err error) {
	if len(points) < 4*leastPoints {
		return q, errTooShort
	}
	end, _ := AtEvent(points, points[len(points)-1].Events)
	for i := range q {
		from, _ := at(points, end.WallS*float64(i)/4, wallS)
		to, _ := at(points, end.WallS*float64(i+1)/4, wallS)
		q[i] = float64(to.Events-from.Events) / (to.WallS - from.WallS)
	}
	return q, nil
}
