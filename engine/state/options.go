package state

import "fmt"

// Option changes how a state is opened.
type Option func(*options)

// options of one state. The zero value: a derived codec, no namespace.
type options struct {
	codec     any // a Codec of the state's stored type
	namespace string
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
