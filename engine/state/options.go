package state

import (
	"fmt"
	"time"
)

// Option changes how a state is opened.
type Option func(*options)

// options of one state. The zero value means a derived codec, no namespace, and
// values that do not expire.
type options struct {
	codec     any // a Codec of the state's stored type
	namespace string
	expires   bool
	ttl       time.Duration
	refresh   Refresh
}

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// WithCodec stores values by c instead of a derived codec. V is the type that the
// state stores: a list's item, a map's value, an aggregate's accumulator.
func WithCodec[V any](c Codec[V]) Option {
	return func(o *options) { o.codec = c }
}

// WithNamespace declares the signature of the state's namespaces (see Current). A
// job that restores the state must declare the same.
func WithNamespace(signature string) Option {
	return func(o *options) { o.namespace = signature }
}

// Refresh says what extends the life of a value, beside writing it.
type Refresh uint8

// The refreshes.
const (
	RefreshOnWrite Refresh = iota // nothing
	RefreshOnRead                 // reading it
)

// TTL makes values expire a time d after they were last written, or, with
// RefreshOnRead, last read. Fractions of a millisecond are rounded up. Each entry
// of a Map and each item of a List expires by itself; List.Len does not count as
// reading. An expired value is never seen again.
//
// A value that is read lives 15/16 of d at least from then on. It is written anew, and
// so is part of the next checkpoint, only once 1/16 of d has passed.
//
// TTL is not event time: the clock is that of the machine, or engine.Config.Clock,
// and not the time in a record. A value keeps the expiry with which it was
// written, whatever options the state has later; a value written without one has
// none until it is written again.
func TTL(d time.Duration, r ...Refresh) Option {
	return func(o *options) {
		o.expires, o.ttl, o.refresh = true, d, RefreshOnWrite
		for _, refresh := range r {
			o.refresh = max(o.refresh, refresh)
		}
	}
}

// codecFor returns the codec that o asks for, or else the derived one.
func codecFor[V any](o options) (Codec[V], error) {
	if o.codec == nil {
		return CodecOf[V]()
	}
	c, ok := o.codec.(Codec[V])
	if !ok {
		return nil, fmt.Errorf("%w: WithCodec was given a %T, which is no codec of %T", ErrUnsupported, o.codec, *new(V))
	}
	return c, nil
}
