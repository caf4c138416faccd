package rocks

import (
	"testing"
	"time"
)

func TestJumps(t *testing.T) {
	type passed struct{ shown, measured time.Duration }
	const year = 365 * 24 * time.Hour
	hourly := func(d time.Duration) passed { return passed{d, d} }
	for _, c := range []struct {
		name  string
		steps []passed
		want  time.Duration // that is not believed
	}{
		{"no jump", []passed{hourly(time.Second), hourly(time.Hour), hourly(24 * time.Hour)}, 0},
		{"set right", []passed{{time.Second + jumpsFrom/2, time.Second}, {jumpsFrom / 2, 0}}, 0},
		{"ahead", []passed{{year, time.Second}, hourly(time.Minute)}, year - time.Second},
		{"ahead and back", []passed{{year, 0}, hourly(time.Minute), {-year, 0}, hourly(time.Second)}, 0},
		{"ahead and further back", []passed{{year, 0}, {-2 * year, 0}}, 0},
		{"twice ahead", []passed{{year, 0}, hourly(believedAfter / 2), {year, 0}, hourly(believedAfter / 2)}, 2 * year},
		{"ahead for long", []passed{{year, 0}, hourly(believedAfter / 2), hourly(believedAfter / 2)}, 0},
		{"back", []passed{{-year, 0}, hourly(time.Minute)}, 0},
	} {
		var j jumps
		for _, s := range c.steps {
			j.pass(s.shown, s.measured)
		}
		if j.ahead != c.want {
			t.Errorf("%s: %v are not believed, want %v", c.name, j.ahead, c.want)
		}
	}
}

// A clock without monotonic readings, as tests have, is believed; so is a clock that the
// newest file does not contradict.
func TestSteady(t *testing.T) {
	now := time.UnixMilli(1000)
	s := steady{clock: func() time.Time { return now }}
	for range 3 {
		now = now.Add(24 * time.Hour)
		if got := s.unixMillis(); got != now.UnixMilli() {
			t.Errorf("the time is %d, want %d", got, now.UnixMilli())
		}
	}
	s.startAfter(now.Unix() - 5)
	if got := s.unixMillis(); got != now.UnixMilli() {
		t.Errorf("after a short pause the time is %d, want %d", got, now.UnixMilli())
	}
	s.startAfter(now.Unix() - 1000)
	if got := s.unixMillis(); got != now.Unix()*1000-1000_000 {
		t.Errorf("after a long pause the time is %d, want that of the newest file, %d", got, now.Unix()*1000-1000_000)
	}
	now = now.Add(believedAfter)
	if got := s.unixMillis(); got != now.UnixMilli() {
		t.Errorf("an hour later the time is %d, want %d", got, now.UnixMilli())
	}
}
