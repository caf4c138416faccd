package nexmark

import (
	"errors"
	"fmt"
	"math"
)

// Defaults of Options.
const (
	DefaultRatePerSecond = 100_000
	DefaultKeys          = 2_000_000
)

// epochMillis is the time of event 0: 2026-01-01T00:00:00Z.
const epochMillis = 1_767_225_600_000

// ErrOptions is wrapped by what Validate returns.
var ErrOptions = errors.New("nexmark options")

// Options choose the events of a run.
type Options struct {
	// Events is the number of events, 0 ≤ n < Events. Of fifty, 1 is a person, 3
	// are auctions and 46 are bids; a source reads those of its kind. The
	// counting jobs read all.
	Events int64
	// Seed is the run's seed. Zero is a seed like any other.
	Seed uint64
	// RatePerSecond is the number of events in a second of event time. It does
	// not say how fast they are generated. Zero: DefaultRatePerSecond.
	RatePerSecond int64
	// Keys is the number of keys of the counting jobs. Zero: DefaultKeys.
	Keys int64
}

// Validate reports the first option that makes no sense. The error wraps
// ErrOptions.
func (o Options) Validate() error {
	switch {
	case o.Events < 0:
		return fmt.Errorf("%w: %d events: must not be negative", ErrOptions, o.Events)
	case o.Events > math.MaxInt64/1000:
		return fmt.Errorf("%w: %d events: the most is %d, as times are in ms", ErrOptions, o.Events, int64(math.MaxInt64/1000))
	case o.RatePerSecond < 0:
		return fmt.Errorf("%w: rate of %d events a second: must be positive, or 0 for %d", ErrOptions, o.RatePerSecond, DefaultRatePerSecond)
	case o.Keys < 0:
		return fmt.Errorf("%w: %d keys: must be positive, or 0 for %d", ErrOptions, o.Keys, DefaultKeys)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.RatePerSecond == 0 {
		o.RatePerSecond = DefaultRatePerSecond
	}
	if o.Keys == 0 {
		o.Keys = DefaultKeys
	}
	return o
}

// Of each epoch of fifty events, the first is a person, the next three are
// auctions and the rest are bids.
const (
	perEpoch     = 50
	firstAuction = 1
	firstBid     = 4
	bidsPerEpoch = perEpoch - firstBid
)

// bids is how many of the events are bids.
func (o Options) bids() int64 {
	return o.Events/perEpoch*bidsPerEpoch + max(0, o.Events%perEpoch-firstBid)
}

// bidEvent is the number of the event that is the k-th bid.
func bidEvent(k int64) int64 {
	return k/bidsPerEpoch*perEpoch + firstBid + k%bidsPerEpoch
}

// timeMillis is the event time of event n.
func (o Options) timeMillis(n int64) int64 { return epochMillis + n*1000/o.RatePerSecond }
