package state

import (
	"encoding/binary"
	"reflect"
	"unsafe"
)

// CellColumn is a Column that can keep values in memory in a form of their
// own, so that they are encoded when they leave it and not at each access.
type CellColumn interface {
	Column
	// Cells returns the column as it is to be used from now on, but for
	// Column.Scan, with values as cells; scans give them encoded. False: it holds
	// cells of another form already, and is to be used as it is.
	Cells(f CellForm) (Rows, bool)
}

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
	_      [sinceBytes]byte  // room for an operand's
}

// valueBytes is the length of a cell that does not expire.
func (c *cell[V]) valueBytes() int { return int(unsafe.Sizeof(c.value)) }

// memory returns the memory of value and expiry; nothing lies between them,
// since bytes are aligned anywhere.
func (c *cell[V]) memory() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), c.valueBytes()+expiryBytes)
}

// room returns the memory with room for an operand.
func (c *cell[V]) room() []byte {
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
	keyed                // rows gives and takes cells
	operands OperandRows // nil: none
	codec    Codec[V]
	room     cell[V]
}

// openCells returns k with the memory of values as cells, where column and
// codec allow it.
func openCells[V any](k keyed, col Column, codec Codec[V], merge func(older, newer V) V) (*cellValue[V], bool) {
	c, ok := col.(CellColumn)
	if f, isFlat := codec.(flatCodec); !ok || !isFlat || !f.flat() {
		return nil, false
	}
	s := &cellValue[V]{keyed: k, codec: codec}
	if s.rows, ok = c.Cells(cellForm(codec)); ok && merge != nil {
		s.operands = s.operandRows(foldCells(merge))
	}
	return s, ok
}

func (s *cellValue[V]) get(cur *Current) (v V, found bool, err error) {
	if err := s.seek(cur); err != nil {
		return v, false, err
	}
	var expires bool
	if stored, ok := s.rowed(); ok {
		expires, err = s.room.decode(s.codec, stored)
	} else {
		room := s.room.memory()
		room, found, err = s.rows.Get(room[:0:len(room)], s.at)
		if err != nil || !found {
			return v, false, s.wrap("get", err)
		}
		expires, err = s.room.fill(room)
	}
	if err != nil {
		return v, false, s.wrap("get", err)
	}
	if expires {
		if found, err = s.keep(); err != nil || !found {
			return v, false, err
		}
	}
	return s.room.value, true, nil
}

// keep reports whether the value in room has not expired, and puts off its
// expiry where reading does.
func (s *cellValue[V]) keep() (live bool, err error) {
	expiry, now := s.room.expiresAt(), s.life.clock.unixMillis()
	if expiry <= now {
		return false, nil
	}
	if !s.life.onRead {
		return true, nil
	}
	if renewed := now + s.life.millis; renewed > expiry {
		s.room.setExpiry(renewed)
		err = s.wrap("refresh", s.put(s.room.memory()))
	}
	return true, err
}

func (s *cellValue[V]) set(cur *Current, v V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.wrap("set", s.put(s.written(v)))
}

// written makes room the cell of a value that is written now.
func (s *cellValue[V]) written(v V) []byte {
	s.room.value = v
	if s.life.millis == 0 {
		return s.room.room()[:s.room.valueBytes()]
	}
	s.room.setExpiry(s.life.next())
	return s.room.room()[:len(s.room.memory())]
}

func (s *cellValue[V]) find(cur *Current) (v V, known Known, err error) {
	if s.operands == nil {
		return certain(s.get(cur))
	}
	if err := s.seek(cur); err != nil {
		return v, KnownNothing, err
	}
	var expires bool
	if stored, ok := s.rowed(); ok {
		known = KnownValue
		expires, err = s.room.decode(s.codec, stored)
	} else {
		room := s.room.room()
		room, known, err = s.operands.Find(room[:0:len(room)], s.at)
		if known == KnownOperand && err == nil {
			room, s.since, err = cutSince(room)
		}
		if err != nil || known == KnownNothing || known == KnownAbsent {
			return v, known, s.wrap("add to", err)
		}
		expires, err = s.room.fill(room)
	}
	if err != nil {
		return v, known, s.wrap("add to", err)
	}
	if expires && s.room.expiresAt() <= s.life.clock.unixMillis() {
		return v, KnownAbsent, nil // an operand that has expired hides what is below it
	}
	return s.room.value, known, nil
}

func (s *cellValue[V]) putOperand(v V, begins bool) (done bool, err error) {
	if begins {
		s.begin()
	}
	s.row.valid = false
	done, err = s.operands.PutOperand(s.at, appendSince(s.written(v), s.since))
	return done, s.wrap("add to", err)
}

func (s *cellValue[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.delete()
}
