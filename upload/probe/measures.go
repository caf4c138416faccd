package probe

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
)

// maxSkew is half of what S3 bears before it denies requests.
const maxSkew = 7 * time.Minute

// clock compares the store's clock with that of this machine. S3 gives times in seconds.
var clock = Check{
	Name:   "clock",
	Allows: "requests are not denied for their time, and the age of an object is true",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		before := time.Now().Truncate(time.Second)
		info, err := p.put(ctx, "clock")
		if err != nil {
			return "", err
		}
		if info, err = p.Store.Head(ctx, info.Name); err != nil {
			return "", err
		}
		s := skew(before, info.Modified, time.Now())
		if s.Abs() > maxSkew {
			return "", fmt.Errorf("%w: the store's clock differs by %v", upload.ErrUnsupported, s)
		}
		return fmt.Sprintf("differs by %v", s.Round(time.Second)), nil
	},
}

// skew returns by how much the clock is ahead that said at between before and after; zero
// if it may be right.
func skew(before, at, after time.Time) time.Duration {
	switch {
	case at.Before(before):
		return at.Sub(before)
	case at.After(after):
		return at.Sub(after)
	}
	return 0
}

// The requests by which throttle measures.
const (
	burst      = 200
	burstLanes = 32
)

// throttle sends many requests at once, past the probe's pace.
var throttle = Check{
	Name:   "throttling",
	Allows: "a job sends as many requests as it wants to",
	Run: func(ctx context.Context, p *Probe) (string, error) {
		info, err := p.put(ctx, "throttle")
		if err != nil {
			return "", err
		}
		var refused atomic.Int64
		var g errgroup.Group
		g.SetLimit(burstLanes)
		begin := time.Now()
		for range burst {
			g.Go(func() error {
				_, err := p.bare.Head(ctx, info.Name)
				if errors.Is(err, upload.ErrThrottled) {
					refused.Add(1)
					return nil
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return "", err
		}
		said := fmt.Sprintf("%d of %d requests, %d at a time, were throttled, at %.0f a second", refused.Load(), burst, burstLanes, burst/time.Since(begin).Seconds())
		if refused.Load() > 0 {
			return "", fmt.Errorf("%w: %s", upload.ErrUnsupported, said)
		}
		return said, nil
	},
}
