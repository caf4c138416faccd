package engine

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// RestartStrategy decides whether another attempt follows a failed one, and when.
type RestartStrategy interface {
	// Begin is called once a Run. The function that it returns is called after
	// each failed attempt with the time that the attempt ran, and returns the
	// delay before the next; false: there is none.
	Begin() func(ran time.Duration) (delay time.Duration, again bool)
	// Validate returns an error that names every field with an invalid value.
	Validate() error
}

// NoRestart fails a job with its first attempt.
type NoRestart struct{}

// Begin implements RestartStrategy.
func (NoRestart) Begin() func(time.Duration) (time.Duration, bool) {
	return func(time.Duration) (time.Duration, bool) { return 0, false }
}

// Validate implements RestartStrategy.
func (NoRestart) Validate() error { return nil }

// FixedDelay restarts up to Attempts times in a Run, each after Delay.
type FixedDelay struct {
	Attempts int
	Delay    time.Duration
}

// Begin implements RestartStrategy.
func (f FixedDelay) Begin() func(time.Duration) (time.Duration, bool) {
	left := f.Attempts
	return func(time.Duration) (time.Duration, bool) {
		left--
		return f.Delay, left >= 0
	}
}

// Validate implements RestartStrategy.
func (f FixedDelay) Validate() error {
	if f.Attempts < 0 || f.Delay < 0 {
		return fmt.Errorf("fixed delay: attempts %d, delay %v: neither may be negative", f.Attempts, f.Delay)
	}
	return nil
}

// Exponential restarts without end, after a delay that grows from Initial by
// Factor up to Max, and begins again at Initial after an attempt that ran for
// ResetAfter. A zero field takes its default.
type Exponential struct {
	Initial    time.Duration // 1 s
	Max        time.Duration // 1 min
	Factor     float64       // 1.5
	Jitter     float64       // up to this share of the delay is added or taken; 0: none
	ResetAfter time.Duration // 1 h
}

func (e Exponential) withDefaults() Exponential {
	if e.Initial == 0 {
		e.Initial = time.Second
	}
	if e.Max == 0 {
		e.Max = max(time.Minute, e.Initial)
	}
	if e.Factor == 0 {
		e.Factor = 1.5
	}
	if e.ResetAfter == 0 {
		e.ResetAfter = time.Hour
	}
	return e
}

// Begin implements RestartStrategy.
func (e Exponential) Begin() func(time.Duration) (time.Duration, bool) {
	e = e.withDefaults()
	failures := 0
	return func(ran time.Duration) (time.Duration, bool) {
		if ran >= e.ResetAfter {
			failures = 0
		}
		d := e.delay(failures)
		failures++
		return time.Duration(float64(d) * (1 + e.Jitter*(2*rand.Float64()-1))), true
	}
}

// delay is the delay after a failure that follows n others, without jitter.
func (e Exponential) delay(failures int) time.Duration {
	return time.Duration(min(float64(e.Max), float64(e.Initial)*math.Pow(e.Factor, float64(failures))))
}

// Validate implements RestartStrategy.
func (e Exponential) Validate() error {
	e = e.withDefaults()
	switch {
	case e.Initial < 0 || e.ResetAfter < 0 || e.Max < e.Initial:
		return fmt.Errorf("exponential delay: initial %v, max %v, reset after %v: none may be negative, and max not below initial", e.Initial, e.Max, e.ResetAfter)
	case e.Factor < 1 || math.IsInf(e.Factor, 0) || math.IsNaN(e.Factor):
		return fmt.Errorf("exponential delay: factor %v: it must be at least 1", e.Factor)
	case !(e.Jitter >= 0 && e.Jitter <= 1):
		return errors.New("exponential delay: jitter must lie between 0 and 1")
	}
	return nil
}
