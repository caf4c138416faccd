package measure

import "fmt"

// Bar is what a figure has to reach. The zero value is no bar.
type Bar struct {
	AtLeast float64 `json:"at_least,omitempty"` // zero: no such bound
	AtMost  float64 `json:"at_most,omitempty"`
}

// Verdict says whether a figure reaches its bar.
type Verdict string

// The verdicts.
const (
	NoBar   Verdict = ""
	Reached Verdict = "reached"
	Missed  Verdict = "missed"
	// Open: the median is on one side, and part of the interval on the other.
	Open Verdict = "open"
)

// Judge compares the median and its interval with the bar. The verdict is Open
// unless the whole interval lies on one side.
func (b Bar) Judge(s Summary) Verdict {
	if b == (Bar{}) {
		return NoBar
	}
	if !(s.N > 0 && s.Low <= s.High) { // NaN too
		return Missed
	}
	holds := func(v float64) bool {
		return (b.AtLeast == 0 || v >= b.AtLeast) && (b.AtMost == 0 || v <= b.AtMost)
	}
	switch low, mid, high := holds(s.Low), holds(s.Median), holds(s.High); {
	case low && mid && high:
		return Reached
	case !low && !mid && !high:
		return Missed
	}
	return Open
}

// String renders "≥ 0.95", "≤ 2", or nothing.
func (b Bar) String() string {
	switch {
	case b.AtLeast != 0 && b.AtMost != 0:
		return fmt.Sprintf("%g to %g", b.AtLeast, b.AtMost)
	case b.AtLeast != 0:
		return fmt.Sprintf("≥ %g", b.AtLeast)
	case b.AtMost != 0:
		return fmt.Sprintf("≤ %g", b.AtMost)
	}
	return ""
}
