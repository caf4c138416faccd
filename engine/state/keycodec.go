package state

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/zeebo/xxh3"
)

// KeyCodec encodes, decodes and hashes keys. It is immutable: any goroutine may
// use it. Make it with KeyCodecOf; the zero KeyCodec cannot be used.
type KeyCodec[K comparable] struct {
	signature string
	append    func(dst []byte, k K) []byte
	hash      func(k K) uint64
	decode    func(src []byte, k *K) (rest []byte, err error)
}

// Append appends k's encoding to dst. No encoding is a prefix of another.
// Encodings compare byte-wise as their keys do: integers, strings, false before
// true, structs and arrays by their first difference.
func (c KeyCodec[K]) Append(dst []byte, k K) []byte { return c.append(dst, k) }

// Decode reads the key that src starts with, and returns what follows it. The
// error wraps ErrCorrupt.
func (c KeyCodec[K]) Decode(src []byte) (k K, rest []byte, err error) {
	rest, err = c.decode(src, &k)
	return k, rest, err
}

// Hash returns k's hash. It depends on k's encoding and signature alone and never
// changes, in any process or version: it says in which key group k's state lies.
func (c KeyCodec[K]) Hash(k K) uint64 { return c.hash(k) }

// Signature describes the encoding, as Codec.Signature does.
func (c KeyCodec[K]) Signature() string { return c.signature }

// KeyCodecOf derives a codec for keys of type K: booleans, integers, strings,
// and arrays and structs of these. The error wraps ErrUnsupported and names the
// unsupported type.
//
// Refused are types for which equal keys may have unequal encodings: floats (NaN
// differs from itself, and 0 equals -0), pointers, interfaces and time.Time.
func KeyCodecOf[K comparable]() (KeyCodec[K], error) {
	t := reflect.TypeFor[K]()
	s, err := deriveKeyShape(t, t.String())
	if err != nil {
		return KeyCodec[K]{}, err
	}
	return KeyCodec[K]{
		signature: s.signature,
		append:    func(dst []byte, k K) []byte { return s.append(dst, noescape(unsafe.Pointer(&k))) },
		hash:      func(k K) uint64 { return s.hash(noescape(unsafe.Pointer(&k))) },
		decode:    func(src []byte, k *K) ([]byte, error) { return s.decode(src, unsafe.Pointer(k)) },
	}, nil
}

// keyShape is to keys what shape is to values.
type keyShape struct {
	signature string
	append    func(dst []byte, p unsafe.Pointer) []byte
	decode    func(src []byte, p unsafe.Pointer) (rest []byte, err error)
	hash      func(p unsafe.Pointer) uint64
}

func deriveKeyShape(t reflect.Type, path string) (*keyShape, error) {
	if t == timeType {
		return nil, fmt.Errorf("%w: key %s: a time.Time is no key, since == also compares locations: use its UnixNano", ErrUnsupported, path)
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolKey(), nil
	case reflect.Int8:
		return signedKey[int8]("int8", 1), nil
	case reflect.Int16:
		return signedKey[int16]("int16", 2), nil
	case reflect.Int32:
		return signedKey[int32]("int32", 4), nil
	case reflect.Int64:
		return signedKey[int64]("int64", 8), nil
	case reflect.Int:
		return signedKey[int]("int64", 8), nil
	case reflect.Uint8:
		return unsignedKey[uint8]("uint8", 1), nil
	case reflect.Uint16:
		return unsignedKey[uint16]("uint16", 2), nil
	case reflect.Uint32:
		return unsignedKey[uint32]("uint32", 4), nil
	case reflect.Uint64:
		return unsignedKey[uint64]("uint64", 8), nil
	case reflect.Uint:
		return unsignedKey[uint]("uint64", 8), nil
	case reflect.String:
		return stringKey(), nil
	case reflect.Array:
		elem, err := deriveKeyShape(t.Elem(), path+"[]")
		if err != nil {
			return nil, err
		}
		parts := make([]keyPart, t.Len())
		for i := range parts {
			parts[i] = keyPart{uintptr(i) * t.Elem().Size(), elem}
		}
		return compositeKey(fmt.Sprintf("[%d]%s", t.Len(), elem.signature), parts), nil
	case reflect.Struct:
		return structKey(t, path)
	case reflect.Float32, reflect.Float64:
		return nil, fmt.Errorf("%w: key %s: a %v is no key (NaN is unequal to itself): use a whole number of the smallest unit", ErrUnsupported, path, t)
	case reflect.Pointer:
		return nil, fmt.Errorf("%w: key %s: a %v is no key, since it is an address: use the %v that it points to", ErrUnsupported, path, t, t.Elem())
	case reflect.Interface:
		return nil, fmt.Errorf("%w: key %s: an %v is no key, since its type is open: use one of integers, strings, booleans, or arrays or structs of these", ErrUnsupported, path, t)
	}
	return nil, fmt.Errorf("%w: key %s: a %v is no key: use integers, strings, booleans, or arrays or structs of these", ErrUnsupported, path, t)
}

func boolKey() *keyShape {
	s := boolShape()
	return &keyShape{"bool",
		func(dst []byte, p unsafe.Pointer) []byte {
			if *(*bool)(p) {
				return append(dst, 1)
			}
			return append(dst, 0)
		},
		s.decode,
		func(p unsafe.Pointer) uint64 {
			if *(*bool)(p) {
				return mix(1)
			}
			return mix(0)
		}}
}

// appendBigEndian appends the low size bytes of x.
func appendBigEndian(dst []byte, x uint64, size int) []byte {
	switch size {
	case 1:
		return append(dst, byte(x))
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(x))
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(x))
	}
	return binary.BigEndian.AppendUint64(dst, x)
}

// bigEndian reads what appendBigEndian wrote.
func bigEndian(src []byte, size int) (x uint64, rest []byte, err error) {
	if len(src) < size {
		return 0, nil, errShort("integer key")
	}
	switch size {
	case 1:
		x = uint64(src[0])
	case 2:
		x = uint64(binary.BigEndian.Uint16(src))
	case 4:
		x = uint64(binary.BigEndian.Uint32(src))
	default:
		x = binary.BigEndian.Uint64(src)
	}
	return x, src[size:], nil
}

// signedKey flips the sign bit, so that negative keys come first. It hashes the
// sign-extended number.
func signedKey[T int8 | int16 | int32 | int64 | int](signature string, size int) *keyShape {
	flip := uint64(1) << (8*size - 1)
	return &keyShape{signature,
		func(dst []byte, p unsafe.Pointer) []byte {
			return appendBigEndian(dst, uint64(*(*T)(p))^flip, size)
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			x, rest, err := bigEndian(src, size)
			if err != nil {
				return nil, err
			}
			n := signExtend(x^flip, size)
			if int64(T(n)) != n {
				return nil, corrupt("key %d does not fit %s", n, signature)
			}
			*(*T)(p) = T(n)
			return rest, nil
		},
		func(p unsafe.Pointer) uint64 { return mix(uint64(*(*T)(p))) }}
}

func signExtend(x uint64, size int) int64 {
	shift := 64 - 8*size
	return int64(x<<shift) >> shift
}

func unsignedKey[T uint8 | uint16 | uint32 | uint64 | uint](signature string, size int) *keyShape {
	return &keyShape{signature,
		func(dst []byte, p unsafe.Pointer) []byte { return appendBigEndian(dst, uint64(*(*T)(p)), size) },
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			x, rest, err := bigEndian(src, size)
			if err != nil {
				return nil, err
			}
			if uint64(T(x)) != x {
				return nil, corrupt("key %d does not fit %s", x, signature)
			}
			*(*T)(p) = T(x)
			return rest, nil
		},
		func(p unsafe.Pointer) uint64 { return mix(uint64(*(*T)(p))) }}
}

func stringKey() *keyShape {
	return &keyShape{"string",
		func(dst []byte, p unsafe.Pointer) []byte { return appendStringKey(dst, *(*string)(p)) },
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			raw, rest, err := cutString(src)
			if err != nil {
				return nil, err
			}
			*(*string)(p) = string(unescaped(raw))
			return rest, nil
		},
		func(p unsafe.Pointer) uint64 { return xxh3.HashString(*(*string)(p)) }}
}

// appendStringKey ends a string with a zero byte, and writes the bytes 0 and 1 in it as 1 1
// and 1 2, which keeps the order.
func appendStringKey(dst []byte, s string) []byte {
	for {
		i := plainPrefix(s)
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return append(dst, 0)
		}
		dst = append(dst, 1, s[i]+1)
		s = s[i+1:]
	}
}

// plainPrefix returns how many bytes of s need no escape.
func plainPrefix(s string) int {
	for i := range len(s) {
		if s[i] <= 1 {
			return i
		}
	}
	return len(s)
}

// cutString cuts an encoded string off src and returns it, still escaped.
func cutString(src []byte) (raw, rest []byte, err error) {
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case 0:
			return src[:i], src[i+1:], nil
		case 1:
			if i++; i < len(src) && src[i] != 1 && src[i] != 2 {
				return nil, nil, corrupt("string key with the escape %d", src[i])
			}
		}
	}
	return nil, nil, errShort("string key")
}

// unescaped removes the escapes from what cutString returned. It returns raw
// itself if there are none.
func unescaped(raw []byte) []byte {
	i := 0
	for i < len(raw) && raw[i] != 1 {
		i++
	}
	if i == len(raw) {
		return raw
	}
	b := append(make([]byte, 0, len(raw)), raw[:i]...)
	for ; i < len(raw); i++ {
		if raw[i] == 1 {
			i++
			b = append(b, raw[i]-1)
		} else {
			b = append(b, raw[i])
		}
	}
	return b
}

// keyPart is a field or an element of a composite key.
type keyPart struct {
	offset uintptr
	*keyShape
}

func structKey(t reflect.Type, path string) (*keyShape, error) {
	var parts []keyPart
	var fields, names []string
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		if !f.IsExported() {
			return nil, fmt.Errorf("%w: key %s: the field is not exported: export it, or use another key", ErrUnsupported, at)
		}
		s, err := deriveKeyShape(f.Type, at)
		if err != nil {
			return nil, err
		}
		name := f.Name
		if tag := f.Tag.Get("state"); tag != "" {
			name = tag
		}
		if !validFieldName(name) {
			return nil, fmt.Errorf("%w: key %s: its tag `state:%q` is no name, and no field of a key can be left out", ErrUnsupported, at, name)
		}
		if slices.Contains(fields, name) {
			return nil, fmt.Errorf("%w: key %s: another field has the name %q already", ErrUnsupported, at, name)
		}
		fields = append(fields, name)
		parts = append(parts, keyPart{f.Offset, s})
		names = append(names, name+" "+s.signature)
	}
	return compositeKey("{"+strings.Join(names, ",")+"}", parts), nil
}

func compositeKey(signature string, parts []keyPart) *keyShape {
	return &keyShape{signature,
		func(dst []byte, p unsafe.Pointer) []byte {
			for i := range parts {
				dst = parts[i].append(dst, unsafe.Add(p, parts[i].offset))
			}
			return dst
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			var err error
			for i := range parts {
				if src, err = parts[i].decode(src, unsafe.Add(p, parts[i].offset)); err != nil {
					return nil, err
				}
			}
			return src, nil
		},
		func(p unsafe.Pointer) uint64 {
			h := uint64(0)
			for i := range parts {
				h = combine(h, parts[i].hash(unsafe.Add(p, parts[i].offset)))
			}
			return h
		}}
}
