package experiment

import (
	"errors"
	"math"
	"testing"

	"github.com/tidemark/tidemark/cmd/launch"
)

// course is a run with a point a second that reads so many events in each.
func course(perSecond ...int64) (points []launch.Point) {
	var p launch.Point
	for _, n := range perSecond {
		p.WallS++
		p.CPUS += 2
		p.Events += n
		points = append(points, p)
	}
	return points
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// What comes before the first events, and after the last was read, is left out.
func TestAfter(t *testing.T) {
	points := course(10, 90, 100, 100, 100, 100, 0, 0)
	s, err := After(Sample{Values: map[string]float64{}}, points, 150)
	if err != nil {
		t.Fatal(err)
	}
	// From 2.5 s, between two points, to 6 s.
	if !near(s.Values[EventsPerS], 350/3.5) || !near(s.Values[EventsPerCPUS], 350/7.0) || !near(s.Values[CPUMicros], 7e6/350) {
		t.Errorf("figures %v", s.Values)
	}
	for name, c := range map[string]struct {
		points []launch.Point
		first  int64
	}{"empty": {nil, 0}, "short": {course(1, 1, 1), 0}, "never reached": {points, 501}, "at the end": {points, 500}} {
		s := Sample{Values: map[string]float64{EventsPerS: 7}}
		if s, err := After(s, c.points, c.first); !errors.Is(err, errTooShort) || s.Values[EventsPerS] != 7 {
			t.Errorf("%s: %v, %v", name, s.Values, err)
		}
	}
}

func TestQuarters(t *testing.T) {
	var perSecond []int64
	for _, rate := range []int64{10, 40, 20, 30} {
		for range 10 {
			perSecond = append(perSecond, rate)
		}
	}
	q, err := Quarters(course(append(perSecond, 0, 0, 0)...))
	if err != nil || q != [4]float64{10, 40, 20, 30} {
		t.Errorf("quarters %v, %v", q, err)
	}
	if _, err := Quarters(course(1, 2, 3)); !errors.Is(err, errTooShort) {
		t.Errorf("of three points: %v", err)
	}
}
