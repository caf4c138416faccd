package state

import (
	"encoding/binary"
	"iter"
	"math"
)

// List is a list of values for each key and namespace. Adding costs the same
// however long the list is. Make it with NewList.
type List[V any] struct{ store listStore[V] }

// listStore is how a List is kept.
type listStore[V any] interface {
	add(cur *Current, items []V) error
	clear(cur *Current) error
	length(cur *Current) (int, error)
	all(cur *Current) iter.Seq2[V, error]
}

// NewList opens the list state name of an operator.
func NewList[V any](c OpenContext, name string, opts ...Option) List[V] {
	o := collect(opts)
	s := &directList[V]{}
	var err error
	d := Descriptor{Name: name, Kind: KindList, Namespace: o.namespace}
	if s.codec, err = codecFor[V](o); err == nil {
		d.Value = s.codec.Signature()
	}
	s.keyed = openKeyed(c.Registry(), d, err)
	return List[V]{s}
}

// Get returns the items of the current key in the order in which they were
// added; nil: there are none.
func (s List[V]) Get(c Context) ([]V, error) {
	var items []V
	for v, err := range s.store.all(c.Current()) {
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

// All iterates over the items of the current key as they are when the
// iteration starts. An error comes last, with a zero item.
func (s List[V]) All(c Context) iter.Seq2[V, error] { return s.store.all(c.Current()) }

// Len returns the number of items of the current key.
func (s List[V]) Len(c Context) (int, error) { return s.store.length(c.Current()) }

// Add appends items to the list of the current key.
func (s List[V]) Add(c Context, items ...V) error { return s.store.add(c.Current(), items) }

// Set replaces the list of the current key.
func (s List[V]) Set(c Context, items []V) error {
	cur := c.Current()
	if err := s.store.clear(cur); err != nil {
		return err
	}
	return s.store.add(cur, items)
}

// Clear removes all items of the current key.
func (s List[V]) Clear(c Context) error { return s.store.clear(c.Current()) }

// directList keeps the number of items under the entry of the key and
// namespace, and each item under that and its index, big-endian.
type directList[V any] struct {
	keyed
	codec Codec[V]
}

const indexBytes = 8

// count returns the number of items under entry.
func (s *directList[V]) count() (uint64, error) {
	payload, found, err := s.load()
	if err != nil || !found {
		return 0, err
	}
	n, rest, err := uvarint(payload)
	if err == nil && (len(rest) > 0 || n == 0 || n > math.MaxInt) {
		err = corrupt("list with a length of %x", payload)
	}
	return n, s.wrap("get", err)
}

func (s *directList[V]) length(cur *Current) (int, error) {
	if err := s.seek(cur); err != nil {
		return 0, err
	}
	n, err := s.count()
	return int(n), err
}

func (s *directList[V]) add(cur *Current, items []V) error {
	if err := s.seek(cur); err != nil || len(items) == 0 {
		return err
	}
	n, err := s.count()
	if err != nil {
		return err
	}
	base := len(s.entry)
	for _, v := range items {
		s.entry = binary.BigEndian.AppendUint64(s.entry[:base], n)
		if err := store(&s.keyed, s.codec, v); err != nil {
			return err
		}
		n++
	}
	s.entry = s.entry[:base]
	s.bytes = binary.AppendUvarint(append(s.bytes[:0], header), n)
	return s.wrap("set", s.put(s.bytes))
}

func (s *directList[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	n, err := s.count()
	if err != nil || n == 0 {
		return err
	}
	return s.deleteAll()
}

func (s *directList[V]) all(cur *Current) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		var zero V
		err := s.seek(cur)
		if err != nil {
			yield(zero, err)
			return
		}
		// The loop's body may use this state, and so its buffers.
		prefix := append([]byte(nil), s.entry...)
		it := s.col.Scan(prefix, prefixEnd(prefix))
		want, seen := uint64(0), uint64(0)
		for it.Next() {
			var payload []byte
			if payload, err = payloadOf(it.Value()); err != nil {
				break
			}
			if len(it.Key()) == len(prefix) {
				if want, _, err = uvarint(payload); err != nil {
					break
				}
				continue
			}
			if index := it.Key()[len(prefix):]; len(index) != indexBytes || binary.BigEndian.Uint64(index) != seen {
				err = corrupt("list with an item %x after %d items", index, seen)
				break
			}
			var v V
			if err = s.codec.Decode(payload, &v); err != nil {
				break
			}
			seen++
			if !yield(v, nil) {
				_ = it.Close()
				return
			}
		}
		if err == nil {
			err = it.Err()
		}
		if err == nil && seen != want {
			err = corrupt("list of %d items holds %d", want, seen)
		}
		if cerr := it.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			yield(zero, s.wrap("get", err))
		}
	}
}
