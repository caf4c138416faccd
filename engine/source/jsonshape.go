package source

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/internal/jsontype"
	"github.com/tidemark/tidemark/internal/nearest"
)

// jsonShape is what the JSON of a type has to look like. nil: anything.
type jsonShape struct {
	fields map[string]*jsonField // of a struct
	needed []string              // of its fields, in order
	item   *jsonShape            // of a slice, an array or a map
	length int                   // of an array; -1: any
}

type jsonField struct {
	required bool // its value may not be null
	shape    *jsonShape
}

// shapeOf returns the shape of a type, and whether it has to be looked at in any
// case: encoding/json drops what is too much for an array.
func shapeOf(t reflect.Type) (shape *jsonShape, arrays bool) {
	known := map[reflect.Type]*jsonShape{}
	var build func(t reflect.Type) *jsonShape
	build = func(t reflect.Type) *jsonShape {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if s, ok := known[t]; ok {
			return s
		}
		if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return nil
		}
		s := &jsonShape{length: -1}
		known[t] = s
		switch t.Kind() {
		case reflect.Struct:
			fields, err := jsontype.Fields(t)
			if err != nil {
				return nil // the source refuses the type
			}
			s.fields = map[string]*jsonField{}
			for _, f := range fields {
				k := f.Type.Kind()
				required := !f.Optional && k != reflect.Pointer && k != reflect.Map && k != reflect.Slice
				s.fields[f.Name] = &jsonField{required, build(f.Type)}
				if required {
					s.needed = append(s.needed, f.Name)
				}
			}
		case reflect.Array:
			s.length, arrays = t.Len(), true
			s.item = build(t.Elem())
		case reflect.Slice, reflect.Map:
			s.item = build(t.Elem())
		}
		return s
	}
	return build(t), arrays
}

// walker compares JSON with a shape.
type walker struct {
	complete bool // each required field is there
	strict   bool // and no other, and none twice
}

// walk checks a line that was decoded already.
func (w walker) walk(s *jsonShape, line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	_, err := w.next(s, d, "")
	return err
}

// next checks the next value; null reports that it is null.
func (w walker) next(s *jsonShape, d *json.Decoder, at string) (null bool, err error) {
	token, err := d.Token()
	if err != nil {
		return false, err
	}
	var item *jsonShape
	if s != nil {
		item = s.item
	}
	switch token {
	case nil:
		return true, nil
	case json.Delim('['):
		n := 0
		for ; d.More(); n++ {
			if _, err := w.next(item, d, fmt.Sprintf("%s[%d]", at, n)); err != nil {
				return false, err
			}
		}
		if s != nil && s.length >= 0 && n != s.length {
			return false, fmt.Errorf("%s has %d items, the array that it is read into %d", where(at), n, s.length)
		}
		_, err = d.Token()
	case json.Delim('{'):
		err = w.object(s, d, at)
	}
	return false, err
}

func (w walker) object(s *jsonShape, d *json.Decoder, at string) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := token.(string)
		var shape *jsonShape
		required := false
		switch {
		case s == nil:
		case s.fields == nil:
			shape = s.item
		default:
			known, f := s.field(name)
			if f == nil && w.strict {
				return fmt.Errorf("unknown field %q in %s: %s", name, where(at), nearest.Hint(name, slices.Sorted(maps.Keys(s.fields))))
			}
			if f != nil {
				name, shape, required = known, f.shape, f.required
			}
		}
		if w.strict && seen[name] {
			return fmt.Errorf("field %q is twice in %s", name, where(at))
		}
		seen[name] = true
		null, err := w.next(shape, d, at+"."+name)
		if err != nil {
			return err
		}
		if w.complete && null && required {
			return fmt.Errorf("field %q is null in %s", name, where(at))
		}
	}
	if s != nil && w.complete {
		for _, name := range s.needed {
			if !seen[name] {
				return fmt.Errorf("field %q is missing in %s", name, where(at))
			}
		}
	}
	_, err := d.Token()
	return err
}

// field finds a field as encoding/json does: by name, or else whatever the case.
func (s *jsonShape) field(name string) (string, *jsonField) {
	if f := s.fields[name]; f != nil {
		return name, f
	}
	for known, f := range s.fields {
		if strings.EqualFold(known, name) {
			return known, f
		}
	}
	return "", nil
}

func where(at string) string {
	if at == "" {
		return "the record"
	}
	return at[1:]
}
