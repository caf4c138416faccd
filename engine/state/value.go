package state

// Value is one value for each key and namespace. Make it with NewValue; it
// belongs to the subtask's goroutine, as all states do.
type Value[V any] struct{ store valueStore[V] }

// valueStore is how a Value, a Reducing or an Aggregating is kept.
type valueStore[V any] interface {
	get(cur *Current) (v V, found bool, err error)
	set(cur *Current, v V) error
	update(cur *Current, f func(v V, found bool) (V, error)) error
	clear(cur *Current) error
	// find and putOperand are for add: with find, what is known without reading.
	find(cur *Current) (v V, known Known, err error)
	// putOperand follows find, at the same place; begins: it knew nothing there.
	putOperand(v V, begins bool) (done bool, err error)
}

// NewValue opens the value state name of an operator. Mistakes are reported
// by the registry's Err.
func NewValue[V any](c OpenContext, name string, opts ...Option) Value[V] {
	return Value[V]{openValue[V](c, KindValue, name, opts, nil)}
}

// Get returns the value of the current key, and whether there is one.
func (s Value[V]) Get(c Context) (v V, found bool, err error) { return s.store.get(c.Current()) }

// GetOr returns the value of the current key, or absent where there is none.
func (s Value[V]) GetOr(c Context, absent V) (V, error) {
	v, found, err := s.Get(c)
	if !found && err == nil {
		v = absent
	}
	return v, err
}

// Update replaces the value of the current key by what f makes of it; the key is
// encoded and sought once. Where there is no value, found is false and v is zero. If
// f returns an error the value stays as it is, and Update returns the error. f must
// not use this state.
func (s Value[V]) Update(c Context, f func(v V, found bool) (V, error)) error {
	return s.store.update(c.Current(), f)
}

// Set replaces the value of the current key. It keeps no reference to v.
func (s Value[V]) Set(c Context, v V) error { return s.store.set(c.Current(), v) }

// Clear removes the value of the current key.
func (s Value[V]) Clear(c Context) error { return s.store.clear(c.Current()) }

// openValue opens a state of one value for each key; merge, if it is not nil,
// merges those that were added, the older one first.
func openValue[V any](c OpenContext, kind Kind, name string, opts []Option, merge func(older, newer V) V) valueStore[V] {
	o := collect(opts)
	codec, err := codecFor[V](o)
	d := Descriptor{Name: name, Kind: kind, Namespace: o.namespace}
	if err == nil {
		d.Value = codec.Signature()
	}
	r := c.Registry()
	k, col := openColumn(r, d, o, err)
	if f, flat := codec.(flatCodec); flat && f.flat() && takesRows(col) {
		form := cellForm(codec)
		k.open(r, col, Access{Form: &form, Fold: foldCells(merge)})
		return &cellValue[V]{keyed: k, codec: codec}
	}
	k.open(r, col, Access{Fold: foldStored(codec, merge)})
	return &directValue[V]{keyed: k, codec: codec}
}

// directValue encodes and decodes on each access.
type directValue[V any] struct {
	keyed
	codec Codec[V]
	value V // decoded into; kept so that decoding does not allocate it
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

func (s *directValue[V]) find(cur *Current) (v V, known Known, err error) {
	if !s.folds {
		return asKnown(s.get(cur))
	}
	if err := s.seek(cur); err != nil {
		return v, KnownNothing, err
	}
	stored, listed := s.rowed()
	if known = KnownValue; !listed {
		s.bytes, known, err = s.rows.Find(s.bytes[:0], &s.at)
		stored = s.bytes
	}
	if known == KnownOperand && err == nil {
		stored, s.since, err = cutSince(stored)
	}
	if err != nil || known == KnownNothing || known == KnownAbsent {
		return v, known, s.wrap("add to", err)
	}
	payload, live, err := s.life.payload(stored)
	if err != nil || !live { // an operand that has expired hides what is below it
		return v, KnownAbsent, s.wrap("add to", err)
	}
	if err := s.codec.Decode(payload, &s.value); err != nil {
		return v, known, s.wrap("add to", err)
	}
	v, s.value = s.value, v
	return v, known, nil
}

func (s *directValue[V]) putOperand(v V, begins bool) (done bool, err error) {
	if begins {
		s.begin()
	}
	b, err := s.codec.Append(s.life.appendHeader(s.bytes[:0]), v)
	if err == nil {
		b = appendSince(b, s.since)
		s.row.wrote(s.at.Key)
		done, err = s.rows.PutOperand(&s.at, b)
	}
	s.bytes = b[:0]
	return done, s.wrap("add to", err)
}

func (s *directValue[V]) set(cur *Current, v V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return store(&s.keyed, s.codec, v)
}

func (s *directValue[V]) update(cur *Current, f func(v V, found bool) (V, error)) error {
	v, found, err := s.get(cur)
	if err == nil {
		v, err = f(v, found)
	}
	if err != nil {
		return err
	}
	return store(&s.keyed, s.codec, v) // where get sought
}

func (s *directValue[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.delete()
}
