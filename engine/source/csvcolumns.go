package source

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/engine/internal/jsontype"
	"github.com/tidemark/tidemark/internal/nearest"
)

// column maps a column of a CSV file to a field of a struct. The field's type is
// inspected once, when the source is made.
type column struct {
	name string
	set  func(record any, text string) error // record is a pointer to the struct
}

// columnsOf returns the columns of a record type's fields.
func columnsOf(t reflect.Type) ([]column, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: csv: records are of type %v, which is not a struct", ErrOptions, t)
	}
	var columns []column
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("csv")
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		parse, err := parserOf(f.Type)
		switch other := slices.IndexFunc(columns, func(c column) bool { return c.name == name }); {
		case !f.IsExported():
			err = errors.New("it is not exported")
		case other >= 0:
			err = fmt.Errorf("the column %q is read into another field", name)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: csv: field %s of %v: %w: change it, or tag it `csv:\"-\"`", ErrOptions, f.Name, t, err)
		}
		columns = append(columns, column{name, func(record any, text string) error {
			return parse(reflect.ValueOf(record).Elem().Field(i), text)
		}})
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%w: csv: %v has no field to read a column into", ErrOptions, t)
	}
	return columns, nil
}

var errNotFinite = errors.New("it is no finite number")

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func parserOf(t reflect.Type) (func(v reflect.Value, text string) error, error) {
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		if inner := jsontype.Promoted(t, "UnmarshalText"); inner != nil {
			return nil, fmt.Errorf("%v has the method UnmarshalText of the embedded %v, which leaves out the other fields: give it one of its own", t, inner)
		}
		return func(v reflect.Value, text string) error {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, text string) error {
			v.SetString(strings.Clone(text)) // the record's fields share memory
			return nil
		}, nil
	case reflect.Bool:
		return func(v reflect.Value, text string) error {
			b, err := strconv.ParseBool(text)
			v.SetBool(b)
			return reason(err)
		}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(v reflect.Value, text string) error {
			n, err := strconv.ParseInt(text, 10, t.Bits())
			v.SetInt(n)
			return reason(err)
		}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(v reflect.Value, text string) error {
			n, err := strconv.ParseUint(text, 10, t.Bits())
			v.SetUint(n)
			return reason(err)
		}, nil
	case reflect.Float32, reflect.Float64:
		return func(v reflect.Value, text string) error {
			n, err := strconv.ParseFloat(text, t.Bits())
			if err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
				err = errNotFinite
			}
			v.SetFloat(n)
			return reason(err)
		}, nil
	}
	return nil, fmt.Errorf("no text becomes a %v", t)
}

// reason strips what strconv says of its own function and of the text.
func reason(err error) error {
	var n *strconv.NumError
	if errors.As(err, &n) {
		return n.Err
	}
	return err
}

// locate finds the columns in the header.
func locate(columns []column, header []string) ([]int, error) {
	indexes := make([]int, len(columns))
	for i, c := range columns {
		if indexes[i] = slices.Index(header, c.name); indexes[i] < 0 {
			return nil, fmt.Errorf("no column %q: %s (correct the header, or the field's csv tag)", c.name, nearest.Hint(c.name, header))
		}
		if slices.Index(header[indexes[i]+1:], c.name) >= 0 {
			return nil, fmt.Errorf("the header has column %q twice: rename one", c.name)
		}
	}
	return indexes, nil
}
