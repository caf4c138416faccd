package parquet

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/internal/nearest"
)

// readFunc reads the next value of an element into zeroed memory. It fails where
// the file cannot be read on; what is wrong with the record alone it notes.
type readFunc func(p unsafe.Pointer) error

// builder makes the readFuncs of a row group.
type builder struct {
	view     *plainFile
	chunks   []parquet.ColumnChunk
	complete bool      // a null needs a field that can be nil
	keep     bool      // the cursors keep the values of the current record
	open     []*cursor // all that were opened
	bad      error     // the first thing wrong with the current record
}

// note keeps what is wrong with the current record.
func (b *builder) note(e *element, err error) {
	if b.bad == nil {
		b.bad = fmt.Errorf("column %q: %w", e.path, err)
	}
}

// value reads an element into a t. at names the field. cursors are those of the
// element's columns, which all advance with each read.
func (b *builder) value(e *element, t reflect.Type, at string, tag options) (readFunc, []*cursor, error) {
	switch {
	case e.repeated(): // a list of the old kind
		if t.Kind() != reflect.Slice {
			return nil, nil, mismatch(e, t, at, "use a slice")
		}
		return b.slice(e, nil, t, at, tag)
	case t.Kind() == reflect.Pointer:
		return b.pointer(e, t, at, tag)
	case !e.optional():
		return b.present(e, t, at, tag)
	}
	present, cursors, err := b.present(e, t, at, tag)
	if err != nil {
		return nil, nil, err
	}
	zero := !b.complete || t.Kind() == reflect.Slice || t.Kind() == reflect.Map
	return func(p unsafe.Pointer) error {
		null, err := absent(e, cursors)
		if err != nil || !null {
			if err == nil {
				err = present(p)
			}
			return err
		}
		if !zero {
			b.note(e, fmt.Errorf("null, and the field %s is no pointer", at))
		}
		return nil
	}, cursors, nil
}

// pointer is nil where an optional element is null.
func (b *builder) pointer(e *element, t reflect.Type, at string, tag options) (readFunc, []*cursor, error) {
	read, cursors, err := b.present(e, t.Elem(), at, tag)
	if err != nil {
		return nil, nil, err
	}
	return func(p unsafe.Pointer) error {
		if e.optional() {
			if null, err := absent(e, cursors); err != nil || null {
				return err
			}
		}
		v := reflect.New(t.Elem())
		*(*unsafe.Pointer)(p) = v.UnsafePointer()
		return read(v.UnsafePointer())
	}, cursors, nil
}

// absent reports whether the element is not there, and then steps over that.
func absent(e *element, cursors []*cursor) (bool, error) {
	v, err := cursors[0].peek()
	if err != nil || v == nil || v.DefinitionLevel() >= e.def {
		return false, err
	}
	for _, c := range cursors {
		if _, err := c.take(); err != nil {
			return true, err
		}
	}
	return true, nil
}

// present reads an element that is not null.
func (b *builder) present(e *element, t reflect.Type, at string, tag options) (readFunc, []*cursor, error) {
	if repeated, item, ok := e.list(); ok {
		if t.Kind() != reflect.Slice {
			return nil, nil, mismatch(e, t, at, "use a slice")
		}
		return b.slice(repeated, item, t, at, tag)
	}
	if repeated, key, value, ok := e.entries(); ok && t.Kind() == reflect.Map {
		return b.mapping(repeated, key, value, t, at)
	}
	if e.children != nil {
		if t.Kind() != reflect.Struct {
			return nil, nil, mismatch(e, t, at, "use a struct")
		}
		return b.structure(e, t, at)
	}
	set, err := setter(e, t, at, tag)
	if err != nil {
		return nil, nil, err
	}
	c := &cursor{name: e.path, flat: e.rep == 0, chunk: b.view.chunks[e.leaf], pages: b.chunks[e.leaf].Pages()}
	b.open = append(b.open, c)
	if e.def == 0 {
		c.chunk.width = e.width()
	}
	return func(p unsafe.Pointer) error {
		v, err := c.take()
		if err != nil {
			return err
		}
		if err := set(v, p); err != nil {
			b.note(e, err)
		}
		return nil
	}, []*cursor{c}, nil
}

// structure reads the columns that t's fields name.
func (b *builder) structure(e *element, t reflect.Type, at string) (readFunc, []*cursor, error) {
	type field struct {
		offset uintptr
		read   readFunc
	}
	var fields []field
	var cursors []*cursor
	for _, f := range fieldsOf(t) {
		child := e.child(f.column)
		if child == nil {
			in := "the file"
			if e.path != "" {
				in = fmt.Sprintf("column %q", e.path)
			}
			return nil, nil, fmt.Errorf("%w: no column %q in %s: %s (correct the parquet tag of field %s.%s)", ErrColumns, f.column, in, nearest.Hint(f.column, e.names()), at, f.name)
		}
		read, under, err := b.value(child, f.typ, at+"."+f.name, f.tag)
		if err != nil {
			return nil, nil, err
		}
		fields = append(fields, field{f.offset, read})
		cursors = append(cursors, under...)
	}
	return func(p unsafe.Pointer) error {
		for i := range fields {
			if err := fields[i].read(unsafe.Add(p, fields[i].offset)); err != nil {
				return err
			}
		}
		return nil
	}, cursors, nil
}

// each calls item for each repetition of the element.
func each(repeated *element, cursors []*cursor, item func() error) error {
	if none, err := absent(repeated, cursors); err != nil || none {
		return err
	}
	for {
		if err := item(); err != nil {
			return err
		}
		v, err := cursors[0].peek()
		if err != nil || v == nil || v.RepetitionLevel() < repeated.rep {
			return err
		}
	}
}

// slice reads the repetitions of an element; item is nil where it is the item.
func (b *builder) slice(repeated, item *element, t reflect.Type, at string, tag options) (readFunc, []*cursor, error) {
	var read readFunc
	var cursors []*cursor
	var err error
	switch {
	case item != nil:
		read, cursors, err = b.value(item, t.Elem(), at+"[]", tag)
	case t.Elem().Kind() == reflect.Pointer:
		read, cursors, err = b.pointer(repeated, t.Elem(), at+"[]", tag)
	default:
		read, cursors, err = b.present(repeated, t.Elem(), at+"[]", tag)
	}
	if err != nil {
		return nil, nil, err
	}
	return func(p unsafe.Pointer) error {
		s := reflect.NewAt(t, p).Elem()
		s.Set(reflect.MakeSlice(t, 0, 0))
		return each(repeated, cursors, func() error {
			n := s.Len()
			s.Grow(1)
			s.SetLen(n + 1)
			s.Index(n).SetZero()
			return read(s.Index(n).Addr().UnsafePointer())
		})
	}, cursors, nil
}

func (b *builder) mapping(repeated, key, value *element, t reflect.Type, at string) (readFunc, []*cursor, error) {
	readKey, cursors, err := b.value(key, t.Key(), at+"[key]", options{})
	if err != nil {
		return nil, nil, err
	}
	readValue, under, err := b.value(value, t.Elem(), at+"[]", options{})
	if err != nil {
		return nil, nil, err
	}
	cursors = append(cursors, under...)
	return func(p unsafe.Pointer) error {
		m := reflect.MakeMap(t)
		reflect.NewAt(t, p).Elem().Set(m)
		return each(repeated, cursors, func() error {
			k, v := reflect.New(t.Key()), reflect.New(t.Elem())
			if err := readKey(k.UnsafePointer()); err != nil {
				return err
			}
			if err := readValue(v.UnsafePointer()); err != nil {
				return err
			}
			if m.MapIndex(k.Elem()).IsValid() {
				b.note(key, fmt.Errorf("the map has the key %v twice", k.Elem()))
			}
			m.SetMapIndex(k.Elem(), v.Elem())
			return nil
		})
	}, cursors, nil
}

func mismatch(e *element, t reflect.Type, at, hint string) error {
	return fmt.Errorf("%w: column %q is %v, and field %s is a %v: %s", ErrColumns, e.path, e, at, t, hint)
}

// field is a field of a record that a column is read into.
type field struct {
	name, column string
	typ          reflect.Type
	offset       uintptr
	tag          options
	exported     bool
}

// options are those of a field's tag that change what is read.
type options struct{ timestamp, date string }

// fieldsOf lists the fields of a struct; those of embedded structs are its own.
func fieldsOf(t reflect.Type) (fields []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		switch {
		case name == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && f.Type != timeType:
			for _, inner := range fieldsOf(f.Type) {
				inner.name, inner.offset = f.Name+"."+inner.name, inner.offset+f.Offset
				fields = append(fields, inner)
			}
			continue
		case name == "":
			name = f.Name
		}
		var tag options
		for option := range strings.SplitSeq(rest, ",") {
			switch kind, _, _ := strings.Cut(option, "("); kind {
			case "timestamp":
				tag.timestamp = option
			case "date":
				tag.date = option
			}
		}
		fields = append(fields, field{f.Name, name, f.Type, f.Offset, tag, f.IsExported()})
	}
	return fields
}

// checkKey refuses keys of maps that == tells apart though a column does not.
func checkKey(t reflect.Type, at string) error {
	switch {
	case t == timeType:
		return fmt.Errorf("%w: parquet: %s: a %v is no key, since == also compares locations", source.ErrOptions, at, t)
	case t.Kind() == reflect.Pointer:
		return fmt.Errorf("%w: parquet: %s: a %v is no key, since it is an address: use the %v", source.ErrOptions, at, t, t.Elem())
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("parquet") == "-" {
				return fmt.Errorf("%w: parquet: %s.%s: no field of a key can be left out, since == compares it", source.ErrOptions, at, f.Name)
			}
		}
		for _, f := range fieldsOf(t) {
			if err := checkKey(f.typ, at+"."+f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// check refuses record types that no file has columns for.
func check(t reflect.Type, at string, within []reflect.Type) error {
	for _, outer := range within {
		if outer == t {
			return fmt.Errorf("%w: parquet: %s: %v contains itself", source.ErrOptions, at, t)
		}
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Struct:
		if t == timeType {
			return nil
		}
		fields := fieldsOf(t)
		names := map[string]bool{}
		for _, f := range fields {
			if names[f.column] {
				return fmt.Errorf("%w: parquet: two fields of %s name the column %q", source.ErrOptions, at, f.column)
			}
			names[f.column] = true
			if !f.exported {
				return fmt.Errorf("%w: parquet: %s.%s: the field is not exported: export it, or tag it `parquet:\"-\"`", source.ErrOptions, at, f.name)
			}
			if err := check(f.typ, at+"."+f.name, within); err != nil {
				return err
			}
		}
		if len(fields) == 0 {
			return fmt.Errorf("%w: parquet: %s: %v has no field to read a column into", source.ErrOptions, at, t)
		}
		return nil
	case reflect.Map:
		if err := errors.Join(check(t.Key(), at+"[key]", within), checkKey(t.Key(), at+"[key]")); err != nil {
			return err
		}
		return check(t.Elem(), at+"[]", within)
	case reflect.Pointer:
		if k := t.Elem().Kind(); k == reflect.Pointer {
			return fmt.Errorf("%w: parquet: %s: a %v: use one pointer", source.ErrOptions, at, t)
		}
		return check(t.Elem(), at, within)
	case reflect.Slice:
		return check(t.Elem(), at+"[]", within)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil
		}
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	}
	return fmt.Errorf("%w: parquet: %s: no column is read into a %v: change it, or tag it `parquet:\"-\"`", source.ErrOptions, at, t)
}
