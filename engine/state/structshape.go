package state

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// structShape stores the number of fields before the fields. So a struct that was
// stored with fewer fields is not taken for a damaged one.
func structShape(t reflect.Type, path string, within []reflect.Type) (*shape, error) {
	type field struct {
		offset uintptr
		*shape
	}
	var fields []field
	var parts []string
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Name
		switch tag := f.Tag.Get("state"); {
		case tag == "-":
			continue
		case tag != "":
			name = tag
		}
		at := path + "." + f.Name
		if !f.IsExported() {
			return nil, fmt.Errorf("%w: field %s is not exported: export it, leave it out (tag `state:\"-\"`), or give the state a codec of its own (WithCodec)", ErrUnsupported, at)
		}
		if !validFieldName(name) {
			return nil, fmt.Errorf("%w: field %s: its tag `state:%q` is no name: use letters, digits and '_'", ErrUnsupported, at, name)
		}
		if names[name] {
			return nil, fmt.Errorf("%w: field %s: another field has the name %q already", ErrUnsupported, at, name)
		}
		names[name] = true
		s, err := deriveShape(f.Type, at, within)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field{f.Offset, s})
		parts = append(parts, name+" "+s.signature)
	}
	decodeBy := func(decode func(f *field) decodeFunc) decodeFunc {
		return func(src []byte, p unsafe.Pointer) ([]byte, error) {
			n, rest, err := uvarint(src)
			if err != nil {
				return nil, err
			}
			if n > uint64(len(fields)) {
				return nil, corrupt("%v with %d fields, of which only %d are known", t, n, len(fields))
			}
			for i := range fields[:n] {
				f := &fields[i]
				if rest, err = decode(f)(rest, unsafe.Add(p, f.offset)); err != nil {
					return nil, fmt.Errorf("%v, field %d: %w", t, i+1, err)
				}
			}
			return rest, nil
		}
	}
	s := newShape("{"+strings.Join(parts, ",")+"}", 1,
		func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			dst = binary.AppendUvarint(dst, uint64(len(fields)))
			var err error
			for i := range fields {
				f := &fields[i]
				if dst, err = f.append(dst, unsafe.Add(p, f.offset)); err != nil {
					return dst, err
				}
			}
			return dst, nil
		},
		decodeBy(func(f *field) decodeFunc { return f.decode }))
	s.borrow = decodeBy(func(f *field) decodeFunc { return f.borrow })
	for _, f := range fields {
		s.borrowed += f.borrowed
	}
	return s, nil
}
