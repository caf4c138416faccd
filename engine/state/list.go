package state

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
)

// List is a list of values for each key and namespace. Adding costs the same
// however long the list is. Make it with NewList.
type List[V any] struct{ store listStore[V] }

// listStore is how a List is kept.
type listStore[V any] interface {
	add(cur *Current, items []V) error
	set(cur *Current, items []V) error
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
	s.keyed = openKeyed(c.Registry(), d, o, err)
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

// Add appends items to the list of the current key: all of them, or none if it fails.
func (s List[V]) Add(c Context, items ...V) error { return s.store.add(c.Current(), items) }

// Set replaces the list of the current key. If an item cannot be encoded the list
// stays as it was. After any other error it may be empty.
func (s List[V]) Set(c Context, items []V) error {
	return s.store.set(c.Current(), items)
}

// Clear removes all items of the current key.
func (s List[V]) Clear(c Context) error { return s.store.clear(c.Current()) }

// directList keeps its end under the entry of the key and namespace, and each
// item under that and its index, big-endian.
type directList[V any] struct {
	keyed
	codec   Codec[V]
	encoded []byte // items, one behind the other, and where in it each of them ends
	ends    []int
}

const indexBytes = 8

// listEnd says how far a list goes. Items at or behind it do not count: an Add or a
// Clear that failed left them, or a list that expired, whose items compaction drops in
// any order. The end expires with the last of its items, so that a list without an end
// has none.
type listEnd struct {
	next    uint64 // the index of the item to come; 0: there is no list
	partial bool   // some items expire, and may have
	expires bool   // all do, the last at expiry
	expiry  int64  // Unix milliseconds
}

// partialMark follows the next index of a partial list.
const partialMark = 1

// appendTo appends the end as it is stored.
func (e listEnd) appendTo(dst []byte) []byte {
	if e.expires {
		dst = appendExpiring(dst, e.expiry)
	} else {
		dst = append(dst, header)
	}
	dst = binary.AppendUvarint(dst, e.next)
	if e.partial {
		dst = append(dst, partialMark)
	}
	return dst
}

// grow notes items that were written with the lifetime.
func (e *listEnd) grow(items int, l *lifetime) {
	switch {
	case l.millis == 0:
		e.expires = false
	case e.next == 0:
		e.partial, e.expires, e.expiry = true, true, l.next()
	default:
		e.partial, e.expiry = true, max(e.expiry, l.next())
	}
	e.next += uint64(items)
}

// decodeEnd returns the end that is stored, if it has not expired.
func (s *directList[V]) decodeEnd(stored []byte) (e listEnd, err error) {
	payload, live, err := s.life.payload(stored)
	if err != nil || !live {
		return listEnd{}, err
	}
	e.expiry, e.expires = Expiry(stored)
	next, rest, err := uvarint(payload)
	if err != nil {
		return listEnd{}, err
	}
	e.next, e.partial = next, len(rest) == 1 && rest[0] == partialMark
	if !e.partial && len(rest) > 0 || next == 0 || next > math.MaxInt {
		return listEnd{}, corrupt("list with a length of %x", payload)
	}
	return e, nil
}

// end returns the end of the list.
func (s *directList[V]) end() (e listEnd, err error) {
	stored, _, found, err := s.load()
	if err == nil && found {
		e, err = s.decodeEnd(stored)
	}
	return e, s.wrap("get", err)
}

func (s *directList[V]) length(cur *Current) (int, error) {
	if err := s.seek(cur); err != nil {
		return 0, err
	}
	e, err := s.end()
	if err != nil || !e.partial {
		return int(e.next), err
	}
	n := 0
	for _, err := range s.items(cur, false) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func (s *directList[V]) add(cur *Current, items []V) error {
	if err := s.seek(cur); err != nil || len(items) == 0 {
		return err
	}
	if err := s.encode(items); err != nil {
		return err
	}
	return s.append()
}

func (s *directList[V]) set(cur *Current, items []V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	if err := s.encode(items); err != nil {
		return err
	}
	if err := s.clear(cur); err != nil || len(items) == 0 {
		return err
	}
	return s.append()
}

// append stores the encoded items, and the end last: until then they lie behind the
// end, and do not count.
func (s *directList[V]) append() error {
	e, err := s.end()
	if err != nil {
		return err
	}
	row, start := s.at.Row, 0
	for i, end := range s.ends {
		s.at = s.at.In(binary.BigEndian.AppendUint64(s.at.Key[:row], e.next+uint64(i)))
		if err := s.put(s.encoded[start:end]); err != nil {
			return s.wrap("set", err)
		}
		start = end
	}
	s.at = s.at.In(s.at.Key[:row])
	e.grow(len(s.ends), &s.life) // now: the end must not expire before the items
	s.bytes = e.appendTo(s.bytes[:0])
	return s.wrap("set", s.put(s.bytes))
}

// keptBytes is how much of the buffer for items stays allocated.
const keptBytes = 64 << 10

// encode encodes items that are written now: all of them before the first is stored,
// so that none is stored if one cannot be encoded.
func (s *directList[V]) encode(items []V) (err error) {
	if cap(s.encoded) > keptBytes {
		s.encoded = nil
	}
	s.encoded, s.ends = s.encoded[:0], s.ends[:0]
	for _, v := range items {
		if s.encoded, err = s.codec.Append(s.life.appendHeader(s.encoded), v); err != nil {
			return s.wrap("set", err)
		}
		s.ends = append(s.ends, len(s.encoded))
	}
	return nil
}

func (s *directList[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	e, err := s.end()
	if err != nil || e.next == 0 {
		return err
	}
	return s.deleteRow()
}

func (s *directList[V]) all(cur *Current) iter.Seq2[V, error] { return s.items(cur, s.life.onRead) }

// items iterates over the items that have not expired; renew: and puts off
// their expiry.
func (s *directList[V]) items(cur *Current, renew bool) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		var zero V
		err := s.seek(cur)
		if err != nil {
			yield(zero, err)
			return
		}
		// The loop's body may use this state, and so its buffers.
		row := s.at
		row.Key = slices.Clone(row.Key)
		it := s.rows.Scan(&row)
		var e listEnd
		seen, expiry := uint64(0), int64(0) // items, and the expiry that they get
		for it.Next() {
			if len(it.Key()) == row.Row {
				if e, err = s.decodeEnd(it.Value()); err != nil {
					break
				}
				continue
			}
			var payload []byte
			var live bool
			if payload, live, err = s.item(e, it.Key()[row.Row:], it.Value(), seen); err != nil {
				break
			}
			if !live {
				continue
			}
			if renew && seen == 0 {
				expiry = s.life.next()
			}
			if renew && s.life.renewsStored(it.Value(), expiry) {
				if err = s.renewEnd(&row, &e, expiry); err == nil {
					err = s.renewScanned(row.In(it.Key()), it.Value(), expiry)
				}
				if err != nil {
					break
				}
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
		if err == nil && !e.partial && seen != e.next {
			err = corrupt("list of %d items holds %d", e.next, seen)
		}
		if cerr := it.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			yield(zero, s.wrap("get", err))
		}
	}
}

// item checks an item of a list with the end e, after so many others; not live:
// it has expired, or lies behind the end.
func (s *directList[V]) item(e listEnd, index, stored []byte, seen uint64) (payload []byte, live bool, err error) {
	if payload, live, err = s.life.payload(stored); err != nil {
		return nil, false, err
	}
	if len(index) != indexBytes {
		return nil, false, corrupt("list with an item %x after %d items", index, seen)
	}
	i := binary.BigEndian.Uint64(index)
	if i >= e.next {
		return nil, false, nil
	}
	if !e.partial && i != seen {
		return nil, false, corrupt("list of %d items with an item %x after %d items", e.next, index, seen)
	}
	return payload, live, nil
}

// renewEnd puts off the expiry of a list's end before those of its items, so that it
// never expires earlier.
func (s *directList[V]) renewEnd(row *Place, e *listEnd, expiry int64) error {
	if !e.expires || e.expiry >= expiry {
		return nil
	}
	e.expiry = expiry
	s.bytes = e.appendTo(s.bytes[:0])
	s.keyed.row.wrote(row.Key)
	return s.rows.Put(row, s.bytes)
}
