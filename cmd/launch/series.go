package launch

import (
	"time"

	"github.com/tidemark/tidemark/engine"
)

// Point is how far a run had come at one moment.
type Point struct {
	WallS  float64 `json:"wall_s"` // since the run's beginning
	CPUS   float64 `json:"cpu_s"`
	Events int64   `json:"events"`
	// RSSBytes is the memory of the process. GoBytes of it are Go's heap and stacks; the
	// rest is the table's, RocksDB's and the program's.
	RSSBytes int64 `json:"rss_bytes"`
	GoBytes  int64 `json:"go_bytes"`
}

// seriesEvery is the time between two points, and maxPoints how many there are
// before every second one is dropped and the time doubled (I12).
const (
	seriesEvery = 250 * time.Millisecond
	maxPoints   = 1200
)

// series keeps the points of a run of any length.
type series struct {
	points []Point
	stride int // one point in stride is kept
	seen   int
}

func (s *series) add(p Point) {
	if s.stride == 0 {
		s.stride = 1
	}
	if s.seen%s.stride == 0 {
		s.points = append(s.points, p)
	}
	s.seen++
	if len(s.points) < maxPoints {
		return
	}
	half := s.points[:0]
	for i := 0; i < len(s.points); i += 2 {
		half = append(half, s.points[i])
	}
	s.points = half
	s.stride *= 2
}

// sample takes a point every seriesEvery until the function that it returns is
// called, which returns them with one of that moment.
func sample(m meter, metrics *engine.Metrics) (stop func() []Point) {
	point := func() Point {
		p := Point{Events: metrics.Snapshot().SourceRecords, RSSBytes: rss(), GoBytes: goBytes()}
		p.WallS, p.CPUS = m.elapsed()
		return p
	}
	done, ended := make(chan struct{}), make(chan []Point)
	go func() {
		var s series
		tick := time.NewTicker(seriesEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.add(point())
			case <-done:
				ended <- append(s.points, point())
				return
			}
		}
	}()
	return func() []Point { close(done); return <-ended }
}
