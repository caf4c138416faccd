package state

// Value is one value for each key and namespace. Make it with NewValue; it
// belongs to the subtask's goroutine, as all states do.
type Value[V any] struct{ store valueStore[V] }

// valueStore is how a Value, a Reducing or an Aggregating is kept.
type valueStore[V any] interface {
	get(cur *Current) (v V, found bool, err error)
	set(cur *Current, v V) error
	clear(cur *Current) error
}

// NewValue opens the value state name of an operator. Mistakes are reported
// by the registry's Err.
func NewValue[V any](c OpenContext, name string, opts ...Option) Value[V] {
	return Value[V]{openValue[V](c, KindValue, name, opts)}
}

// Get returns the value of the current key, and whether there is one.
func (s Value[V]) Get(c Context) (v V, found bool, err error) { return s.store.get(c.Current()) }

// Set replaces the value of the current key. It keeps nothing of v: what becomes
// of v later does not matter.
func (s Value[V]) Set(c Context, v V) error { return s.store.set(c.Current(), v) }

// Clear removes the value of the current key.
func (s Value[V]) Clear(c Context) error { return s.store.clear(c.Current()) }

// directValue encodes and decodes on each access.
type directValue[V any] struct {
	keyed
	codec Codec[V]
	value V // decoded into; kept so that decoding does not allocate it
}

func openValue[V any](c OpenContext, kind Kind, name string, opts []Option) valueStore[V] {
	o := collect(opts)
	s := &directValue[V]{}
	var err error
	d := Descriptor{Name: name, Kind: kind, Namespace: o.namespace}
	if s.codec, err = codecFor[V](o); err == nil {
		d.Value = s.codec.Signature()
	}
	var col Column
	s.keyed, col = openKeyed(c.Registry(), d, o, err)
	if s.err == nil {
		if cells, ok := openCells(s.keyed, col, s.codec); ok {
			return cells
		}
	}
	return s
}

func (s *directValue[V]) get(cur *Current) (v V, found bool, err error) {
	if err := s.seek(cur); err != nil {
		return v, false, err
	}
	payload, found, err := s.read()
	if err != nil || !found {
		return v, false, err
	}
	if err := s.codec.Decode(payload, &s.value); err != nil {
		return v, false, s.wrap("get", err)
	}
	v, s.value = s.value, v
	return v, true, nil
}

func (s *directValue[V]) set(cur *Current, v V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return store(&s.keyed, s.codec, v)
}

func (s *directValue[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.delete()
}
