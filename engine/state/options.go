package state

import (
	"fmt"
	"time"
)

// Option changes how a state is opened.
type Option func(*options)

// options of one state. The zero value: a derived codec, no namespace, values
// that do not expire.
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

// WithCodec stores values by c instead of by a derived codec. V is what the
// state stores: a list's item, a map's value, an aggregate's accumulator.
func WithCodec[V any](c Codec[V]) Option {
	return func(o *options) { o.codec = c }
}

// WithNamespace notes the signature of the namespaces that the state is used
// with (see Current), so that a job that restores it must agree.
func WithNamespace(signature string) Option {
	return func(o *options) { o.namespace = signature }
}

// Refresh says what else than writing a value puts off its expiry.
type Refresh uint8

// The refreshes.
const (
	RefreshOnWrite Refresh = iota // nothing
	RefreshOnRead                 // reading it
)

// TTL has values expire: d, of which fractions of a millisecond are rounded up,
// after they were last written, or read as well, if r is RefreshOnRead. Each
// entry of a Map and each item of a List expires by itself; List.Len is no
// reading. An expired value is never seen again.
//
// The time is that of the machine, or of engine.Config.Clock. A value keeps the
// expiry that it was written with: it is honoured whatever options the state
// has later, and a value that was written without one has none until it is
// written again.
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
