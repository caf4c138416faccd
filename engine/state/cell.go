package state

import (
	"reflect"
	"unsafe"
)

// CellColumn is a Column that can keep values in memory in a form of their
// own, so that they are encoded when they leave it and not at each access.
type CellColumn interface {
	Column
	// Cells returns the column with values as cells; Scan gives them encoded.
	// False: it holds values in another form already, and is to be used as it
	// is. The column itself goes on to take and give encoded values.
	Cells(f CellForm) (Column, bool)
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
	if pt := reflect.PointerTo(t); t == timeType || pt.Implements(marshalerType) && pt.Implements(unmarshalerType) {
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

// memoryOf returns the memory of *v.
func memoryOf[V any](v *V) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// cellsOf returns col with the memory of values as cells, where column and
// codec allow it.
func cellsOf[V any](col Column, codec Codec[V]) (Column, bool) {
	c, ok := col.(CellColumn)
	if f, isFlat := codec.(flatCodec); !ok || !isFlat || !f.flat() {
		return col, false
	}
	cells, ok := c.Cells(CellForm{
		Encode: func(dst, cell []byte) ([]byte, error) {
			var v V
			copy(memoryOf(&v), cell)
			return codec.Append(append(dst, header), v)
		},
		Decode: func(dst, stored []byte) ([]byte, error) {
			payload, err := payloadOf(stored)
			if err != nil {
				return dst, err
			}
			var v V
			if err := codec.Decode(payload, &v); err != nil {
				return dst, err
			}
			return append(dst, memoryOf(&v)...), nil
		},
	})
	if !ok {
		return col, false
	}
	return cells, true
}

// cellValue keeps values as cells: nothing is encoded on access.
type cellValue[V any] struct {
	keyed // col gives and takes cells
	codec Codec[V]
	value V
}

func (s *cellValue[V]) get(cur *Current) (v V, found bool, err error) {
	if err := s.seek(cur); err != nil {
		return v, false, err
	}
	if stored, ok := s.rowed(); ok {
		payload, err := payloadOf(stored)
		if err == nil {
			err = s.codec.Decode(payload, &s.value)
		}
		return s.value, err == nil, s.wrap("get", err)
	}
	room := memoryOf(&s.value)
	cell, found, err := s.col.Get(room[:0:len(room)], s.entry)
	if err != nil || !found {
		return v, false, s.wrap("get", err)
	}
	if len(cell) != len(room) {
		return v, false, s.wrap("get", corrupt("cell of %d bytes for a value of %d", len(cell), len(room)))
	}
	copy(room, cell) // where it is not there already
	return s.value, true, nil
}

func (s *cellValue[V]) set(cur *Current, v V) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	s.value = v
	return s.wrap("set", s.put(memoryOf(&s.value)))
}

func (s *cellValue[V]) clear(cur *Current) error {
	if err := s.seek(cur); err != nil {
		return err
	}
	return s.delete()
}
