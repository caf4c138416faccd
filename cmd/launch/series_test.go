package launch

import "testing"

// However long a run is, its points are few, and lie about as far apart (I12).
func TestSeriesIsBounded(t *testing.T) {
	var s series
	const seen = 10 * maxPoints
	for i := range int64(seen) {
		s.add(Point{Events: i})
		if len(s.points) >= maxPoints {
			t.Fatalf("%d points after %d", len(s.points), i+1)
		}
	}
	if len(s.points) < maxPoints/2-1 {
		t.Errorf("%d points of %d are left", len(s.points), seen)
	}
	step := s.points[1].Events
	for i, p := range s.points {
		if p.Events != int64(i)*step {
			t.Fatalf("point %d is of %d, want %d", i, p.Events, int64(i)*step)
		}
	}
}
