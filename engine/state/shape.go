package state

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// shape is the encoding of one type: functions on the memory of a value. They
// keep neither their pointer nor src; only borrow keeps src. decode is given
// zeroed memory.
type shape struct {
	signature string
	least     int // bytes of the shortest encoding
	append    appendFunc
	decode    decodeFunc
	// borrow is decode from a src that nobody will change: strings may be parts of
	// it.
	borrow   decodeFunc
	borrowed int // the least number of such strings
}

type (
	appendFunc = func(dst []byte, p unsafe.Pointer) ([]byte, error)
	decodeFunc = func(src []byte, p unsafe.Pointer) (rest []byte, err error)
)

func newShape(signature string, least int, appendTo appendFunc, decode decodeFunc) *shape {
	return &shape{signature: signature, least: least, append: appendTo, decode: decode, borrow: decode}
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	marshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// deriveShape returns the shape of t. path says in errors where t stands; within
// holds the types around it.
func deriveShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	if slices.Contains(within, t) {
		return nil, fmt.Errorf("%w: %s: %v contains itself: give the state a codec of its own (WithCodec)", ErrUnsupported, path, t)
	}
	within = append(within, t)
	if t == timeType {
		return timeShape(), nil
	}
	switch own, embedded := marshals(t); {
	case embedded != nil:
		return nil, fmt.Errorf("%w: %s: %v embeds %v, whose MarshalBinary would lose the other fields: tag the embedded field (`state:%q`) to store each field, or give the state a codec of its own (WithCodec)", ErrUnsupported, path, t, embedded.Type, embedded.Name)
	case own:
		return binaryShape(t), nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolShape(), nil
	case reflect.Int8:
		return byteShape("int8"), nil
	case reflect.Uint8:
		return byteShape("uint8"), nil
	case reflect.Int16:
		return signedShape[int16]("int16"), nil
	case reflect.Int32:
		return signedShape[int32]("int32"), nil
	case reflect.Int64:
		return signedShape[int64]("int64"), nil
	case reflect.Int:
		return signedShape[int]("int64"), nil
	case reflect.Uint16:
		return unsignedShape[uint16]("uint16"), nil
	case reflect.Uint32:
		return unsignedShape[uint32]("uint32"), nil
	case reflect.Uint64:
		return unsignedShape[uint64]("uint64"), nil
	case reflect.Uint:
		return unsignedShape[uint]("uint64"), nil
	case reflect.Float32:
		return float32Shape(), nil
	case reflect.Float64:
		return float64Shape(), nil
	case reflect.String:
		return stringShape(), nil
	case reflect.Array:
		return arrayShape(t, path, within)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesShape(), nil
		}
		return sliceShape(t, path, within)
	case reflect.Map:
		return mapShape(t, path, within)
	case reflect.Pointer:
		return pointerShape(t, path, within)
	case reflect.Struct:
		return structShape(t, path, within)
	}
	why := ""
	if t.Kind() == reflect.Interface {
		why = ", since it may hold any type"
	}
	return nil, fmt.Errorf("%w: %s: %v cannot be stored%s: use another type, leave the field out (tag `state:\"-\"`), or give the state a codec of its own (WithCodec)", ErrUnsupported, path, t, why)
}

// marshals reports whether t's own MarshalBinary encodes its values. Go promotes
// that method from an embedded field, and reflection cannot tell a promoted method
// from one that t declares. embedded is such a field without a tag, if t has one;
// a struct that tags all of them is stored field by field.
func marshals(t reflect.Type) (own bool, embedded *reflect.StructField) {
	pt := reflect.PointerTo(t)
	if !pt.Implements(marshalerType) || !pt.Implements(unmarshalerType) {
		return false, nil
	}
	own = true
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		f := t.Field(i)
		methods := f.Type
		if k := f.Type.Kind(); k != reflect.Pointer && k != reflect.Interface {
			methods = reflect.PointerTo(f.Type)
		}
		if !f.Anonymous || !methods.Implements(marshalerType) && !methods.Implements(unmarshalerType) {
			continue
		}
		if f.Tag.Get("state") == "" {
			return true, &f
		}
		own = false
	}
	return own, nil
}

// corrupt returns an error for bytes that are not an encoding.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

func errShort(what string) error { return corrupt("%s: the bytes end too early", what) }

func uvarint(src []byte) (uint64, []byte, error) {
	x, n := binary.Uvarint(src)
	if n <= 0 {
		return 0, nil, corrupt("a number does not end, or is too great")
	}
	return x, src[n:], nil
}

func varint(src []byte) (int64, []byte, error) {
	x, n := binary.Varint(src)
	if n <= 0 {
		return 0, nil, corrupt("a number does not end, or is too great")
	}
	return x, src[n:], nil
}

func boolShape() *shape {
	return newShape("bool", 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			if *(*bool)(p) {
				return append(dst, 1), nil
			}
			return append(dst, 0), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) == 0 {
				return nil, errShort("bool")
			}
			if src[0] > 1 {
				return nil, corrupt("bool is %d", src[0])
			}
			*(*bool)(p) = src[0] == 1
			return src[1:], nil
		})
}

func byteShape(signature string) *shape {
	return newShape(signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) { return append(dst, *(*byte)(p)), nil },
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) == 0 {
				return nil, errShort(signature)
			}
			*(*byte)(p) = src[0]
			return src[1:], nil
		})
}

func signedShape[T int16 | int32 | int64 | int](signature string) *shape {
	return newShape(signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.AppendVarint(dst, int64(*(*T)(p))), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			x, rest, err := varint(src)
			if err != nil {
				return nil, err
			}
			if int64(T(x)) != x {
				return nil, corrupt("%d does not fit %s", x, signature)
			}
			*(*T)(p) = T(x)
			return rest, nil
		})
}

func unsignedShape[T uint16 | uint32 | uint64 | uint](signature string) *shape {
	return newShape(signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.AppendUvarint(dst, uint64(*(*T)(p))), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			x, rest, err := uvarint(src)
			if err != nil {
				return nil, err
			}
			if uint64(T(x)) != x {
				return nil, corrupt("%d does not fit %s", x, signature)
			}
			*(*T)(p) = T(x)
			return rest, nil
		})
}

func float32Shape() *shape {
	return newShape("float32", 4,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(*(*float32)(p))), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) < 4 {
				return nil, errShort("float32")
			}
			*(*float32)(p) = math.Float32frombits(binary.LittleEndian.Uint32(src))
			return src[4:], nil
		})
}

func float64Shape() *shape {
	return newShape("float64", 8,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(*(*float64)(p))), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) < 8 {
				return nil, errShort("float64")
			}
			*(*float64)(p) = math.Float64frombits(binary.LittleEndian.Uint64(src))
			return src[8:], nil
		})
}

// block cuts n bytes off src.
func block(src []byte, n uint64, what string) (head, rest []byte, err error) {
	if n > uint64(len(src)) {
		return nil, nil, corrupt("%s of %d bytes, but only %d are left", what, n, len(src))
	}
	return src[:n], src[n:], nil
}

// prefixed cuts bytes that follow their length off src.
func prefixed(src []byte, what string) (b, rest []byte, err error) {
	n, rest, err := uvarint(src)
	if err != nil {
		return nil, nil, err
	}
	return block(rest, n, what)
}

func stringShape() *shape {
	s := newShape("string", 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			s := *(*string)(p)
			dst = binary.AppendUvarint(dst, uint64(len(s)))
			return append(dst, s...), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			b, rest, err := prefixed(src, "string")
			if err != nil {
				return nil, err
			}
			*(*string)(p) = string(b)
			return rest, nil
		})
	s.borrow = func(src []byte, p unsafe.Pointer) ([]byte, error) {
		b, rest, err := prefixed(src, "string")
		if err != nil {
			return nil, err
		}
		*(*string)(p) = unsafe.String(unsafe.SliceData(b), len(b))
		return rest, nil
	}
	s.borrowed = 1
	return s
}

// Slices and maps start with their length + 1; 0 is nil.

func bytesShape() *shape {
	return newShape("[]uint8", 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			b := *(*[]byte)(p)
			if b == nil {
				return append(dst, 0), nil
			}
			dst = binary.AppendUvarint(dst, uint64(len(b))+1)
			return append(dst, b...), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			n, rest, err := uvarint(src)
			if err != nil || n == 0 {
				return rest, err
			}
			b, rest, err := block(rest, n-1, "[]uint8")
			if err != nil {
				return nil, err
			}
			*(*[]byte)(p) = append(make([]byte, 0, len(b)), b...)
			return rest, nil
		})
}

func timeShape() *shape {
	return newShape("time", 2,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			t := (*time.Time)(p)
			dst = binary.AppendVarint(dst, t.Unix())
			return binary.AppendUvarint(dst, uint64(t.Nanosecond())), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			sec, rest, err := varint(src)
			if err != nil {
				return nil, err
			}
			ns, rest, err := uvarint(rest)
			if err != nil {
				return nil, err
			}
			if ns >= uint64(time.Second) {
				return nil, corrupt("time with %d ns in a second", ns)
			}
			*(*time.Time)(p) = time.Unix(sec, int64(ns)).UTC()
			return rest, nil
		})
}

// binaryShape stores what a type's own MarshalBinary returns. The value is
// copied to the heap first, since that method may keep its receiver.
func binaryShape(t reflect.Type) *shape {
	name := t.String()
	if t.Name() != "" && t.PkgPath() != "" {
		name = t.PkgPath() + "." + t.Name()
	}
	return newShape("binary("+name+")", 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			v := reflect.New(t)
			v.Elem().Set(reflect.NewAt(t, p).Elem())
			b, err := v.Interface().(encoding.BinaryMarshaler).MarshalBinary()
			if err != nil {
				return dst, fmt.Errorf("marshal %v: %w", t, err)
			}
			dst = binary.AppendUvarint(dst, uint64(len(b)))
			return append(dst, b...), nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			n, rest, err := uvarint(src)
			if err != nil {
				return nil, err
			}
			b, rest, err := block(rest, n, name)
			if err != nil {
				return nil, err
			}
			v := reflect.New(t)
			if err := v.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(append([]byte(nil), b...)); err != nil {
				return nil, fmt.Errorf("%w: unmarshal %v: %w", ErrCorrupt, t, err)
			}
			reflect.NewAt(t, p).Elem().Set(v.Elem())
			return rest, nil
		})
}

func arrayShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	elem, err := deriveShape(t.Elem(), path+"[]", within)
	if err != nil {
		return nil, err
	}
	n, size := t.Len(), t.Elem().Size()
	return newShape(fmt.Sprintf("[%d]%s", n, elem.signature), n*elem.least,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			var err error
			for i := range uintptr(n) {
				if dst, err = elem.append(dst, unsafe.Add(p, i*size)); err != nil {
					return dst, err
				}
			}
			return dst, nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			var err error
			for i := range uintptr(n) {
				if src, err = elem.decode(src, unsafe.Add(p, i*size)); err != nil {
					return nil, err
				}
			}
			return src, nil
		}), nil
}

// length reads a length + 1, and checks that src can hold as many elements.
func length(src []byte, least int, what string) (n int, isNil bool, rest []byte, err error) {
	x, rest, err := uvarint(src)
	switch {
	case err != nil:
		return 0, false, nil, err
	case x == 0:
		return 0, true, rest, nil
	case x-1 > uint64(len(rest)/least):
		return 0, false, nil, corrupt("%s of %d elements, but only %d bytes are left", what, x-1, len(rest))
	}
	return int(x - 1), false, rest, nil
}

// firstBytes is the memory that a slice or map gets before its first element is
// read.
const firstBytes = 4 << 10

func errEmptyElement(t reflect.Type, path string) error {
	return fmt.Errorf("%w: %s: the elements of a %v take no bytes, so that their number could not be checked", ErrUnsupported, path, t)
}

func sliceShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	elem, err := deriveShape(t.Elem(), path+"[]", within)
	if err != nil {
		return nil, err
	}
	if elem.least == 0 {
		return nil, errEmptyElement(t, path)
	}
	size := t.Elem().Size()
	return newShape("[]"+elem.signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			// The header of every slice type is laid out alike.
			s := *(*[]byte)(p)
			if s == nil {
				return append(dst, 0), nil
			}
			dst = binary.AppendUvarint(dst, uint64(len(s))+1)
			base := unsafe.Pointer(unsafe.SliceData(s))
			var err error
			for i := range uintptr(len(s)) {
				if dst, err = elem.append(dst, unsafe.Add(base, i*size)); err != nil {
					return dst, err
				}
			}
			return dst, nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			n, isNil, rest, err := length(src, elem.least, t.String())
			if err != nil || isNil {
				return rest, err
			}
			// Memory grows with what was read, and not with what the length says.
			have := min(n, 1+int(firstBytes/max(size, 1)))
			s := reflect.MakeSlice(t, have, have)
			for i := range n {
				if i == have {
					have = min(n, 2*have)
					more := reflect.MakeSlice(t, have, have)
					reflect.Copy(more, s)
					s = more
				}
				if rest, err = elem.decode(rest, unsafe.Add(s.UnsafePointer(), uintptr(i)*size)); err != nil {
					return nil, err
				}
			}
			reflect.NewAt(t, p).Elem().Set(s)
			return rest, nil
		}), nil
}

func pointerShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	elem, err := deriveShape(t.Elem(), path, within)
	if err != nil {
		return nil, err
	}
	return newShape("*"+elem.signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			e := *(*unsafe.Pointer)(p)
			if e == nil {
				return append(dst, 0), nil
			}
			return elem.append(append(dst, 1), e)
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			if len(src) == 0 {
				return nil, errShort("pointer")
			}
			switch src[0] {
			case 0:
				return src[1:], nil
			case 1:
				e := reflect.New(t.Elem())
				rest, err := elem.decode(src[1:], e.UnsafePointer())
				if err != nil {
					return nil, err
				}
				*(*unsafe.Pointer)(p) = e.UnsafePointer()
				return rest, nil
			}
			return nil, corrupt("pointer is %d", src[0])
		}), nil
}
