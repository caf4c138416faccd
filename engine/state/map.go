package state

import (
	"iter"
	"slices"
)

// Map is a map of values for each key and namespace. Entries are read and
// written one by one, so a map may be larger than memory. Make it with NewMap.
type Map[MK comparable, V any] struct{ store mapStore[MK, V] }

// Entry is one entry of a Map.
type Entry[MK comparable, V any] struct {
	Key   MK
	Value V
}

// mapStore is how a Map is kept.
type mapStore[MK comparable, V any] interface {
	get(cur *Current, k MK) (v V, found bool, err error)
	has(cur *Current, k MK) (bool, error)
	set(cur *Current, k MK, v V) error
	delete(cur *Current, k MK) error
	clear(cur *Current) error
	all(cur *Current) iter.Seq2[Entry[MK, V], error]
}

// NewMap opens the map state name of an operator.
func NewMap[MK comparable, V any](c OpenContext, name string, opts ...Option) Map[MK, V] {
	o := collect(opts)
	s := &directMap[MK, V]{}
	var err error
	d := Descriptor{Name: name, Kind: KindMap, Namespace: o.namespace}
	if s.keys, err = KeyCodecOf[MK](); err == nil {
		d.MapKey = s.keys.Signature()
		if s.values, err = codecFor[V](o); err == nil {
			d.Value = s.values.Signature()
		}
	}
	s.keyed = openKeyed(c.Registry(), d, o, err)
	return Map[MK, V]{s}
}

// Get returns the value of k in the map of the current key, and whether there
// is one.
func (s Map[MK, V]) Get(c Context, k MK) (v V, found bool, err error) {
	return s.store.get(c.Current(), k)
}

// Has reports whether the map of the current key holds k.
func (s Map[MK, V]) Has(c Context, k MK) (bool, error) { return s.store.has(c.Current(), k) }

// Set sets the value of k in the map of the current key.
func (s Map[MK, V]) Set(c Context, k MK, v V) error { return s.store.set(c.Current(), k, v) }

// Delete removes k from the map of the current key, if it is there.
func (s Map[MK, V]) Delete(c Context, k MK) error { return s.store.delete(c.Current(), k) }

// Clear removes the whole map of the current key.
func (s Map[MK, V]) Clear(c Context) error { return s.store.clear(c.Current()) }

// All iterates over the map of the current key as it is when the iteration
// starts, in the order of encoded map keys (see KeyCodec.Append). An error
// comes last, with a zero entry.
func (s Map[MK, V]) All(c Context) iter.Seq2[Entry[MK, V], error] { return s.store.all(c.Current()) }

// directMap keeps each entry under the entry of the key and namespace, and the
// map key.
type directMap[MK comparable, V any] struct {
	keyed
	keys   KeyCodec[MK]
	values Codec[V]
	value  V // decoded into; see directValue
}

// find goes to the entry of k.
func (s *directMap[MK, V]) find(cur *Current, k MK) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	s.at = s.at.In(s.keys.Append(s.at.Key, k))
	return nil
}

func (s *directMap[MK, V]) get(cur *Current, k MK) (v V, found bool, err error) {
	if err := s.find(cur, k); err != nil {
		return v, false, err
	}
	payload, found, err := s.read()
	if err != nil || !found {
		return v, false, err
	}
	if err := s.values.Decode(payload, &s.value); err != nil {
		return v, false, s.wrap("get", err)
	}
	v, s.value = s.value, v
	return v, true, nil
}

func (s *directMap[MK, V]) has(cur *Current, k MK) (bool, error) {
	if err := s.find(cur, k); err != nil {
		return false, err
	}
	_, found, err := s.read()
	return found, err
}

func (s *directMap[MK, V]) set(cur *Current, k MK, v V) error {
	if err := s.find(cur, k); err != nil {
		return err
	}
	return store(&s.keyed, s.values, v)
}

func (s *directMap[MK, V]) delete(cur *Current, k MK) error {
	if err := s.find(cur, k); err != nil {
		return err
	}
	return s.keyed.delete()
}

func (s *directMap[MK, V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.deleteRow()
}

func (s *directMap[MK, V]) all(cur *Current) iter.Seq2[Entry[MK, V], error] {
	return func(yield func(Entry[MK, V], error) bool) {
		err := s.seek(cur)
		if err != nil {
			yield(Entry[MK, V]{}, err)
			return
		}
		// The loop's body may use this state, and so its buffers.
		row := s.at
		row.Key = slices.Clone(row.Key)
		it := s.rows.Scan(&row)
		expiry := int64(0) // of what is read
		if s.life.onRead {
			expiry = s.life.next()
		}
		for it.Next() {
			var e Entry[MK, V]
			var live bool
			if e, live, err = s.decode(it.Key()[row.Row:], it.Value()); err != nil {
				break
			}
			if !live {
				continue
			}
			if s.life.renewsStored(it.Value(), expiry) {
				if err = s.renewScanned(row.In(it.Key()), it.Value(), expiry); err != nil {
					break
				}
			}
			if !yield(e, nil) {
				_ = it.Close()
				return
			}
		}
		if err == nil {
			err = it.Err()
		}
		if cerr := it.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			yield(Entry[MK, V]{}, s.wrap("get", err))
		}
	}
}

// decode returns an entry; not live: it has expired.
func (s *directMap[MK, V]) decode(key, stored []byte) (e Entry[MK, V], live bool, err error) {
	payload, live, err := s.life.payload(stored)
	if err != nil || !live {
		return e, false, err
	}
	var rest []byte
	if e.Key, rest, err = s.keys.Decode(key); err != nil {
		return e, false, err
	}
	if len(rest) > 0 {
		return e, false, corrupt("%d bytes follow the map key", len(rest))
	}
	return e, true, s.values.Decode(payload, &e.Value)
}
