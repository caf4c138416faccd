package upload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound the transfers of a process, all its stores of one Limiter together.
type Limits struct {
	// UploadBytes and RestoreBytes are how many bytes a second are sent to the store, and
	// read from it. Zero: no limit.
	UploadBytes, RestoreBytes int64
	// InFlight is how many operations are under way at once, listings and conditional writes
	// of an object aside. A read is until its body is closed. Zero: no limit. At least 2,
	// since a copy from store to store reads and writes at once.
	InFlight int
}

// Validate says what is wrong with the limits, nil if nothing.
func (l Limits) Validate() error {
	if l.UploadBytes < 0 || l.RestoreBytes < 0 || l.InFlight < 0 {
		return errors.New("limits of transfers must not be negative")
	}
	if l.InFlight == 1 {
		return errors.New("one request in flight is too few, since a copy reads and writes at once: allow 2 or more")
	}
	return nil
}

// Limiter keeps transfers within Limits, and slows all of them down when the store
// throttles one. Its methods may be called from any goroutine.
type Limiter struct {
	up, down *rate.Limiter // of bytes; nil: no limit
	slots    chan struct{} // of operations under way; nil: no limit
	line     chan struct{} // of capacity 1: who holds it is the next to begin

	mu   sync.Mutex
	pace pace
	last time.Time // when an operation began
}

// NewLimiter returns a limiter of valid limits.
func NewLimiter(l Limits) *Limiter {
	out := &Limiter{up: bytesPerSecond(l.UploadBytes), down: bytesPerSecond(l.RestoreBytes), line: make(chan struct{}, 1)}
	if l.InFlight > 0 {
		out.slots = make(chan struct{}, l.InFlight)
	}
	return out
}

func bytesPerSecond(n int64) *rate.Limiter {
	if n == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(n), int(min(max(n/10, 1), 1<<20)))
}

// transfer waits until the limit allows n bytes more.
func transfer(ctx context.Context, l *rate.Limiter, n int) error {
	for l != nil && n > 0 {
		k := min(n, l.Burst())
		if err := l.WaitN(ctx, k); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// sameCut is how long ago a request may have begun whose answer is not its caller's to see.
const sameCut = time.Second

// Throttled tells that the store wants fewer requests than it gets now, where nobody else
// tells: the store repeats that request by itself. Several that come at once are one sign.
func (l *Limiter) Throttled() { l.throttled(time.Now().Add(-sameCut)) }

func (l *Limiter) throttled(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pace = l.pace.throttled(began, time.Now())
}

// Turn waits until another operation may begin, also one that no Limited store carries out.
// An error says that it did not.
// Whoever is next in line follows the pace as it is then: it may be cut meanwhile.
func (l *Limiter) Turn(ctx context.Context) error {
	if l.wait(time.Now()) == 0 {
		return unsent(ctx.Err())
	}
	select {
	case l.line <- struct{}{}:
		defer func() { <-l.line }()
	case <-ctx.Done():
		return unsent(ctx.Err())
	}
	for {
		wait := l.wait(time.Now())
		if wait == 0 {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return unsent(ctx.Err())
		}
	}
}

// wait returns how long the next operation has to wait. At zero it begins.
func (l *Limiter) wait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := l.last.Add(l.pace.gap(now)); now.Before(next) {
		return next.Sub(now)
	}
	l.last = now
	return 0
}

// begin is Turn, and waits for a slot, which the caller gives back by calling free.
func (l *Limiter) begin(ctx context.Context) (free func(), err error) {
	free = func() {}
	if l.slots != nil {
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, unsent(ctx.Err())
		}
		free = sync.OnceFunc(func() { <-l.slots })
	}
	if err := l.Turn(ctx); err != nil {
		free()
		return nil, err
	}
	return free, nil
}

// unsent marks the error of an operation that the store did not see.
func unsent(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: it waited for its turn: %w", ErrThrottled, err)
}

// ended learns from the outcome of an operation.
func (l *Limiter) ended(began time.Time, err error) {
	if errors.Is(err, ErrThrottled) && !errors.Is(err, ErrConflict) {
		l.throttled(began)
	}
}

// The bounds of a pace.
const (
	firstPace  = 100 // operations a second, once the store has throttled
	slowPace   = 1
	freePace   = 1000 // from here on there is no limit
	paceDouble = 10 * time.Second
)

// pace is how many operations a second a store bears. It halves when the store throttles,
// and doubles with every paceDouble in which it does not. The zero value has no limit.
type pace struct {
	limit rate.Limit // at the time of the cut
	cut   time.Time
}

// at returns the limit at a time.
func (p pace) at(now time.Time) rate.Limit {
	limit := p.limit * rate.Limit(math.Exp2(now.Sub(p.cut).Seconds()/paceDouble.Seconds()))
	if p.limit == 0 || limit >= freePace {
		return rate.Inf
	}
	return limit
}

// gap returns the least time between two operations.
func (p pace) gap(now time.Time) time.Duration {
	return time.Duration(float64(time.Second) / float64(p.at(now)))
}

// throttled returns the pace after an operation was throttled that had begun at a time. One
// that began before the last cut says nothing of the pace since.
func (p pace) throttled(began, now time.Time) pace {
	if began.Before(p.cut) {
		return p
	}
	return pace{max(slowPace, min(p.at(now), 2*firstPace)/2), now}
}
