package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// mapShape stores entries in the order of their encodings, so that equal maps
// have equal bytes.
func mapShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	key, err := deriveShape(t.Key(), path+"[key]", within)
	if err == nil {
		err = checkMapKey(t.Key(), path+"[key]")
	}
	if err != nil {
		return nil, err
	}
	elem, err := deriveShape(t.Elem(), path+"[]", within)
	if err != nil {
		return nil, err
	}
	least := key.least + elem.least
	if least == 0 {
		return nil, errEmptyElement(t, path)
	}
	return newShape("map["+key.signature+"]"+elem.signature, 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			m := reflect.New(t).Elem()
			m.Set(reflect.NewAt(t, p).Elem())
			if m.IsNil() {
				return append(dst, 0), nil
			}
			k, v := reflect.New(t.Key()), reflect.New(t.Elem())
			type entry struct{ key, encoded []byte }
			entries := make([]entry, 0, m.Len())
			for it := m.MapRange(); it.Next(); {
				k.Elem().SetIterKey(it)
				v.Elem().SetIterValue(it)
				e, err := key.append(nil, k.UnsafePointer())
				keyLen := len(e)
				if err == nil {
					e, err = elem.append(e, v.UnsafePointer())
				}
				if err != nil {
					return dst, err
				}
				entries = append(entries, entry{e[:keyLen], e})
			}
			slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.encoded, b.encoded) })
			dst = binary.AppendUvarint(dst, uint64(len(entries))+1)
			for i, e := range entries {
				if i > 0 && bytes.Equal(entries[i-1].key, e.key) {
					return dst, fmt.Errorf("%w: %v: two keys that differ have the same MarshalBinary", ErrUnsupported, t)
				}
				dst = append(dst, e.encoded...)
			}
			return dst, nil
		},
		func(src []byte, p unsafe.Pointer) ([]byte, error) {
			n, isNil, rest, err := length(src, least, t.String())
			if err != nil || isNil {
				return rest, err
			}
			m := reflect.MakeMapWithSize(t, min(n, 1+int(firstBytes/(1+t.Key().Size()+t.Elem().Size()))))
			for range n {
				k, v := reflect.New(t.Key()), reflect.New(t.Elem())
				if rest, err = key.decode(rest, k.UnsafePointer()); err != nil {
					return nil, err
				}
				if rest, err = elem.decode(rest, v.UnsafePointer()); err != nil {
					return nil, err
				}
				m.SetMapIndex(k.Elem(), v.Elem())
			}
			if m.Len() != n {
				return nil, corrupt("%v holds a key twice", t)
			}
			reflect.NewAt(t, p).Elem().Set(m)
			return rest, nil
		}), nil
}

// checkMapKey refuses keys of which two may differ and be encoded alike, or be
// decoded as another key: such a map could be stored and not be read again. Of a
// type's own MarshalBinary only the encodings tell.
func checkMapKey(t reflect.Type, path string) error {
	if own, _ := marshals(t); own && t != timeType {
		return nil
	}
	reason := ""
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		reason = "NaN is unequal to itself: use a whole number of the smallest unit"
	case reflect.Pointer:
		reason = "pointers to equal values differ: use the value"
	case reflect.Array:
		return checkMapKey(t.Elem(), path+"[]")
	case reflect.Struct:
		if t == timeType {
			reason = "== also compares locations, which are not stored: use its UnixNano"
			break
		}
		for i := range t.NumField() {
			f := t.Field(i)
			at := path + "." + f.Name
			if f.Tag.Get("state") == "-" && f.Name != "_" {
				return fmt.Errorf("%w: %s: no field of a map key can be left out, since == compares it", ErrUnsupported, at)
			}
			if err := checkMapKey(f.Type, at); err != nil {
				return err
			}
		}
	}
	if reason != "" {
		return fmt.Errorf("%w: %s: a %v is no map key: %s", ErrUnsupported, path, t, reason)
	}
	return nil
}
