package state

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// Codec encodes and decodes values. Codecs are immutable: any goroutine may use
// them.
type Codec[V any] interface {
	// Append appends the encoding of v to dst. It fails only if v's own
	// MarshalBinary fails, or gives two keys of a map the same encoding.
	Append(dst []byte, v V) ([]byte, error)
	// Decode decodes all of src into *v, and keeps no part of src. The error wraps
	// ErrCorrupt.
	Decode(src []byte, v *V) error
	// Signature describes the encoding. It is kept in checkpoints; Compatible
	// compares it when another version of the job reads them.
	Signature() string
}

// CodecOf derives a codec for V by reflection on the type, once; values are
// encoded without reflection. V may consist of booleans, integers, floats,
// strings, time.Time (the instant alone: location and monotonic reading are
// dropped), types that implement encoding.BinaryMarshaler and BinaryUnmarshaler,
// and arrays, slices, maps, pointers and structs of these. A struct that embeds a
// marshaler must tag that field, or the promoted methods would lose the other
// fields. A marshaler is known by its name: it must go on decoding what it once encoded,
// and where its name or package changes, a codec with the old Signature has to wrap the
// derived one. Map keys must be what KeyCodecOf takes, or marshalers: of two keys that
// differ in a map, the encodings must differ.
//
// All fields of a struct must be exported. A field tagged `state:"-"` is not
// stored; a field tagged `state:"name"` is stored under that name. A struct may
// gain fields at its end: they are zero in what was stored before.
//
// The error wraps ErrUnsupported and names the field that is in the way.
func CodecOf[V any]() (Codec[V], error) {
	t := reflect.TypeFor[V]()
	s, err := deriveShape(t, t.String(), nil)
	if err != nil {
		return nil, err
	}
	return &derived[V]{s}, nil
}

// derived is the Codec that CodecOf makes.
type derived[V any] struct{ shape *shape }

func (c *derived[V]) Append(dst []byte, v V) ([]byte, error) {
	return c.shape.append(dst, noescape(unsafe.Pointer(&v)))
}

func (c *derived[V]) Decode(src []byte, v *V) error {
	*v = *new(V)
	decode := c.shape.decode
	if c.shape.borrowed > 1 && len(src) <= borrowBytes {
		src, decode = slices.Clone(src), c.shape.borrow
	}
	rest, err := decode(src, unsafe.Pointer(v))
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes follow the value", ErrCorrupt, len(rest))
	}
	return nil
}

// borrowBytes is the size up to which an encoding with several strings is copied
// as a whole, and its strings are parts of the copy. That is one allocation; a
// string that is kept keeps at most this much alive.
const borrowBytes = 1 << 10

func (c *derived[V]) Signature() string { return c.shape.signature }

// noescape hides p from escape analysis, so that encoding a value does not
// move it to the heap: calls through a shape's functions look as if they kept
// their pointer. They never do; what must outlive the call is copied first.
//
// Nothing may be called while x holds the address, since a call can move the
// stack that it points into, and only pointers are moved along. nocheckptr
// keeps the race detector's build from calling its checks there.
//
//go:nosplit
//go:nocheckptr
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
