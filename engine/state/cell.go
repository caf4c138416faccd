package state

import (
	"encoding/binary"
	"reflect"
	"unsafe"
)

// CellForm turns cells into stored values and back. Any goroutine may call its
// functions; they append to dst.
type CellForm struct {
	Encode func(dst, cell []byte) ([]byte, error)
	Decode func(dst, stored []byte) (cell []byte, err error)
}

// flatCodec is a codec of values whose memory says all there is to them.
type flatCodec interface{ flat() bool }

func (c *derived[V]) flat() bool { return isFlat(reflect.TypeFor[V]()) && unsafe.Sizeof(*new(V)) > 0 }

// isFlat reports whether a copy of a value's memory is a copy of the value, and
// is what encoding and decoding give.
func isFlat(t reflect.Type) bool {
	if own, _ := marshals(t); own || t == timeType {
		return false
	}
	switch t.Kind() {
	case reflect.Array:
		return isFlat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("state") == "-" || !isFlat(f.Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64 && t.Kind() != reflect.Uintptr
}

// cell is the memory of a value, and its expiry behind it where it has one: a
// cell of a state is one of two lengths.
type cell[V any] struct {
	value  V
	expiry [expiryBytes]byte // as in a stored value
	_      [sinceBytes]byte  // space for the beginning of an operand
}

// valueBytes is the length of a cell that does not expire.
func (c *cell[V]) valueBytes() int { return int(unsafe.Sizeof(c.value)) }

// memory returns the memory of value and expiry; nothing lies between them,
// since bytes are aligned anywhere.
func (c *cell[V]) memory() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), c.valueBytes()+expiryBytes)
}

// withOperand returns the memory with space for the beginning of an operand.
func (c *cell[V]) withOperand() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), c.valueBytes()+expiryBytes+sinceBytes)
}

func (c *cell[V]) expiresAt() int64 { return int64(binary.BigEndian.Uint64(c.expiry[:])) }

func (c *cell[V]) setExpiry(unixMillis int64) {
	binary.BigEndian.PutUint64(c.expiry[:], uint64(unixMillis))
}

// fill makes c the cell that a column has given, into c's own memory or not.
func (c *cell[V]) fill(from []byte) (expires bool, err error) {
	switch len(from) {
	case c.valueBytes(), len(c.memory()):
		copy(c.memory(), from) // where it is not there already
		return len(from) > c.valueBytes(), nil
	}
	return false, corrupt("cell of %d bytes for a value of %d", len(from), c.valueBytes())
}

// decode makes c a stored value.
func (c *cell[V]) decode(codec Codec[V], stored []byte) (expires bool, err error) {
	expiry, expires := Expiry(stored)
	if expires {
		c.setExpiry(expiry)
		return true, codec.Decode(stored[1+expiryBytes:], &c.value)
	}
	payload, err := payloadOf(stored)
	if err != nil {
		return false, err
	}
	return false, codec.Decode(payload, &c.value)
}

// cellForm returns the form of cells of V.
func cellForm[V any](codec Codec[V]) CellForm {
	return CellForm{
		Encode: func(dst, from []byte) ([]byte, error) {
			var c cell[V]
			expires, err := c.fill(from)
			if err != nil {
				return dst, err
			}
			if expires {
				return codec.Append(append(append(dst, ExpiringHeader), c.expiry[:]...), c.value)
			}
			return codec.Append(append(dst, header), c.value)
		},
		Decode: func(dst, stored []byte) ([]byte, error) {
			var c cell[V]
			switch expires, err := c.decode(codec, stored); {
			case err != nil:
				return dst, err
			case expires:
				return append(dst, c.memory()...), nil
			}
			return append(dst, c.memory()[:c.valueBytes()]...), nil
		},
	}
}

// cellValue keeps values as cells: nothing is encoded on access.
type cellValue[V any] struct {
	keyed   // rows gives and takes cells
	codec   Codec[V]
	scratch cell[V]
}

func (s *cellValue[V]) get(cur *Current) (v V, found bool, err error) {
	if err := s.seek(cur); err != nil {
		return v, false, err
	}
	var expires bool
	if stored, ok := s.rowed(); ok {
		expires, err = s.scratch.decode(s.codec, stored)
	} else {
		memory := s.scratch.memory()
		memory, found, err = s.rows.Get(memory[:0:len(memory)], &s.at)
		if err != nil || !found {
			return v, false, s.wrap("get", err)
		}
		expires, err = s.scratch.fill(memory)
	}
	if err != nil {
		return v, false, s.wrap("get", err)
	}
	if expires {
		if found, err = s.keep(); err != nil || !found {
			return v, false, err
		}
	}
	return s.scratch.value, true, nil
}

// keep reports whether the value in scratch has not expired, and puts off its expiry
// where reading does.
func (s *cellValue[V]) keep() (live bool, err error) {
	expiry, now := s.scratch.expiresAt(), s.life.clock.unixMillis()
	if expiry <= now {
		return false, nil
	}
	if renewed := now + s.life.millis; s.life.renews(expiry, renewed) {
		s.scratch.setExpiry(renewed)
		err = s.wrap("refresh", s.put(s.scratch.memory()))
	}
	return true, err
}

func (s *cellValue[V]) set(cur *Current, v V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.wrap("set", s.put(s.written(v)))
}

func (s *cellValue[V]) update(cur *Current, f func(v V, found bool) (V, error)) error {
	v, found, err := s.get(cur)
	if err == nil {
		v, err = f(v, found)
	}
	if err != nil {
		return err
	}
	return s.wrap("set", s.put(s.written(v))) // where get sought
}

// written makes scratch the cell of a value that is written now.
func (s *cellValue[V]) written(v V) []byte {
	s.scratch.value = v
	if s.life.millis == 0 {
		return s.scratch.withOperand()[:s.scratch.valueBytes()]
	}
	s.scratch.setExpiry(s.life.next())
	return s.scratch.withOperand()[:len(s.scratch.memory())]
}

func (s *cellValue[V]) find(cur *Current) (v V, known Known, err error) {
	if !s.folds {
		return asKnown(s.get(cur))
	}
	if err := s.seek(cur); err != nil {
		return v, KnownNothing, err
	}
	var expires bool
	if stored, ok := s.rowed(); ok {
		known = KnownValue
		expires, err = s.scratch.decode(s.codec, stored)
	} else {
		memory := s.scratch.withOperand()
		memory, known, err = s.rows.Find(memory[:0:len(memory)], &s.at)
		if known == KnownOperand && err == nil {
			memory, s.since, err = cutSince(memory)
		}
		if err != nil || known == KnownNothing || known == KnownAbsent {
			return v, known, s.wrap("add to", err)
		}
		expires, err = s.scratch.fill(memory)
	}
	if err != nil {
		return v, known, s.wrap("add to", err)
	}
	if expires && s.scratch.expiresAt() <= s.life.clock.unixMillis() {
		return v, KnownAbsent, nil // an operand that has expired hides what is below it
	}
	return s.scratch.value, known, nil
}

func (s *cellValue[V]) putOperand(v V, begins bool) (done bool, err error) {
	if begins {
		s.begin()
	}
	s.row.wrote(s.at.Key)
	done, err = s.rows.PutOperand(&s.at, appendSince(s.written(v), s.since))
	return done, s.wrap("add to", err)
}

func (s *cellValue[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.delete()
}
