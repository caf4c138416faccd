package state

import (
	"fmt"
	"reflect"
	"unsafe"
)

// ReflectCodec is CodecOf for a type that only reflection knows.
type ReflectCodec struct {
	t     reflect.Type
	shape *shape
}

func ReflectCodecOf(t reflect.Type) (ReflectCodec, error) {
	s, err := deriveShape(t, t.String(), nil)
	return ReflectCodec{t, s}, err
}

func (c ReflectCodec) Append(dst []byte, v reflect.Value) ([]byte, error) {
	p := reflect.New(c.t)
	p.Elem().Set(v)
	return c.shape.append(dst, p.UnsafePointer())
}

// Decode decodes by both ways of the shape, the second of which may keep src.
func (c ReflectCodec) Decode(src []byte) (decoded, borrowed reflect.Value, err error) {
	values := [2]reflect.Value{reflect.New(c.t), reflect.New(c.t)}
	for i, decode := range []func([]byte, unsafe.Pointer) ([]byte, error){c.shape.decode, c.shape.borrow} {
		rest, err := decode(src, values[i].UnsafePointer())
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%d bytes follow", len(rest))
		}
		if err != nil {
			return decoded, borrowed, err
		}
	}
	return values[0].Elem(), values[1].Elem(), nil
}

// ReflectKeyCodec is KeyCodec for a type that only reflection knows.
type ReflectKeyCodec struct {
	t     reflect.Type
	shape *keyShape
}

func ReflectKeyCodecOf(t reflect.Type) (ReflectKeyCodec, error) {
	s, err := deriveKeyShape(t, t.String())
	return ReflectKeyCodec{t, s}, err
}

func (c ReflectKeyCodec) Append(dst []byte, k reflect.Value) []byte {
	return c.shape.append(dst, k.Addr().UnsafePointer())
}

func (c ReflectKeyCodec) Decode(src []byte) (k reflect.Value, rest []byte, err error) {
	p := reflect.New(c.t)
	rest, err = c.shape.decode(src, p.UnsafePointer())
	return p.Elem(), rest, err
}

func (c ReflectKeyCodec) Hash(k reflect.Value) uint64 { return c.shape.hash(k.Addr().UnsafePointer()) }

func (c ReflectCodec) Signature() string { return c.shape.signature }

func (c ReflectKeyCodec) Signature() string { return c.shape.signature }
