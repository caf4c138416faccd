package statetest

import (
	"sync/atomic"
	"time"
)

// Clock stands still until it is moved. Any goroutine may use it. The zero
// Clock shows the beginning of 1970.
type Clock struct{ sinceEpoch atomic.Int64 } // nanoseconds

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.sinceEpoch.Load()) }

// Advance moves the clock, backwards where d is negative.
func (c *Clock) Advance(d time.Duration) { c.sinceEpoch.Add(int64(d)) }
