package engine

import (
	"sync"
	"time"
)

// pacer shares a rate between the sources of a job. Time comes in.
type pacer struct {
	perSecond float64

	mu      sync.Mutex
	last    time.Time
	allowed float64 // records that may be read now
}

// pacerBurst is how much of the rate may be saved up while nothing was read,
// and pacerGrain how much at most is granted at once, so that records flow
// evenly.
const (
	pacerBurst = time.Second
	pacerGrain = 10 * time.Millisecond
)

// take grants up to want records, or says how long to wait for the first.
func (p *pacer) take(now time.Time, want int) (granted int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		p.last = now
	}
	p.allowed += p.perSecond * max(0, now.Sub(p.last)).Seconds()
	p.allowed = min(p.allowed, max(1, p.perSecond*pacerBurst.Seconds()))
	p.last = now
	grain := max(1, int(p.perSecond*pacerGrain.Seconds()))
	if want = min(want, grain); p.allowed < float64(want) {
		return 0, max(time.Duration((float64(want)-p.allowed)/p.perSecond*float64(time.Second)), time.Microsecond)
	}
	p.allowed -= float64(want)
	return want, 0
}

// back returns what was granted and not used.
func (p *pacer) back(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed += float64(n)
}
