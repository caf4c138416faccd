package state

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// ExpiringHeader is the first byte of every stored value that expires. The next
// eight bytes are its expiry: Unix milliseconds, signed, big-endian.
const ExpiringHeader = header | 0x01

const expiryBytes = 8

// Expiry returns when a stored value expires, in Unix milliseconds; false: it
// does not. A backend knows nothing else of a value. From its expiry on a value
// is absent, and a backend may drop it at any time.
func Expiry(stored []byte) (unixMillis int64, expires bool) {
	if len(stored) < 1+expiryBytes || stored[0] != ExpiringHeader {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(stored[1:])), true
}

func appendExpiring(dst []byte, expiry int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, ExpiringHeader), uint64(expiry))
}

// setExpiry changes the expiry of a stored value that has one.
func setExpiry(stored []byte, expiry int64) { binary.BigEndian.PutUint64(stored[1:], uint64(expiry)) }

// clock is the time by which values expire. It never goes back, so an expired
// value stays expired.
type clock struct {
	now    func() time.Time
	latest int64
}

func newClock(now func() time.Time) *clock { return &clock{now, math.MinInt64} }

func (c *clock) unixMillis() int64 {
	c.latest = max(c.latest, c.now().UnixMilli())
	return c.latest
}

// expired reports whether a stored value is absent by now.
func (c *clock) expired(stored []byte) bool {
	expiry, expires := Expiry(stored)
	return expires && expiry <= c.unixMillis()
}

// lifetime is how long the values of a state live.
type lifetime struct {
	clock  *clock
	millis int64 // after a write; 0: for ever
	onRead bool  // after a read, too
}

// lifetimeOf returns what TTL asked for.
func (r *Registry) lifetimeOf(o options) (lifetime, error) {
	l := lifetime{clock: r.clock}
	if !o.expires {
		return l, nil
	}
	if o.ttl < time.Millisecond {
		return l, fmt.Errorf("a TTL of %v: it must be 1ms or more", o.ttl)
	}
	l.millis = int64((o.ttl-1)/time.Millisecond) + 1
	l.onRead = o.refresh == RefreshOnRead
	return l, nil
}

// next returns the expiry of a value that is written, or read, now.
func (l *lifetime) next() int64 { return l.clock.unixMillis() + l.millis }

// renewPart: reading puts off an expiry once 1/renewPart of the TTL has passed. If every
// read did, a state that is only read would be written, and uploaded, as a whole.
const renewPart = 16

// renews reports whether reading a value moves its expiry from old to next. Reading
// never makes a value expire earlier.
func (l *lifetime) renews(old, next int64) bool {
	return l.onRead && next-old > l.millis/renewPart
}

// appendHeader begins a value that is written now.
func (l *lifetime) appendHeader(dst []byte) []byte {
	if l.millis == 0 {
		return append(dst, header)
	}
	return appendExpiring(dst, l.next())
}

// payload checks a stored value's header and removes it; not live: the value has
// expired.
func (l *lifetime) payload(stored []byte) (payload []byte, live bool, err error) {
	payload, expiry, expires, err := splitStored(stored)
	if err != nil || !expires {
		return payload, err == nil, err
	}
	return payload, expiry > l.clock.unixMillis(), nil
}

// splitStored checks a stored value's header and separates it from the payload.
func splitStored(stored []byte) (payload []byte, expiry int64, expires bool, err error) {
	if expiry, expires = Expiry(stored); expires {
		return stored[1+expiryBytes:], expiry, true, nil
	}
	payload, err = payloadOf(stored)
	return payload, 0, false, err
}

// renewsStored is renews for a stored value. Reading never gives an expiry to a value
// without one.
func (l *lifetime) renewsStored(stored []byte, next int64) bool {
	old, expires := Expiry(stored)
	return expires && l.renews(old, next)
}
