package parquet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// element is a node of a file's schema.
type element struct {
	format.SchemaElement
	path     string
	children []*element // nil: a leaf
	leaf     int        // the column's index
	def, rep int        // levels at which the element is there
}

var errSchema = errors.New("damaged schema")

func schemaOf(list []format.SchemaElement) (*element, error) {
	leaf := 0
	var build func(parent *element, depth int) (*element, error)
	build = func(parent *element, depth int) (*element, error) {
		if len(list) == 0 || depth > 200 {
			return nil, errSchema
		}
		e := &element{SchemaElement: list[0], leaf: -1}
		list = list[1:]
		if parent != nil {
			e.path, e.def, e.rep = e.Name, parent.def, parent.rep
			if parent.path != "" {
				e.path = parent.path + "." + e.Name
			}
			switch {
			case e.repeated():
				e.def, e.rep = e.def+1, e.rep+1
			case e.optional():
				e.def++
			}
		}
		n := int(e.NumChildren.V)
		if parent != nil && n == 0 && e.SchemaElement.Type.Valid {
			e.leaf = leaf
			leaf++
			return e, nil
		}
		e.children = []*element{}
		for range n {
			child, err := build(e, depth+1)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		}
		return e, nil
	}
	root, err := build(nil, 0)
	if err == nil && len(list) > 0 {
		err = errSchema
	}
	return root, err
}

// width is how many bytes a leaf's values take each; 0: it depends.
func (e *element) width() int {
	switch e.SchemaElement.Type.V {
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	case format.Int96:
		return 12
	case format.FixedLenByteArray:
		return int(e.TypeLength.V)
	}
	return 0
}

func (e *element) repeated() bool {
	return e.RepetitionType.Valid && e.RepetitionType.V == format.Repeated
}
func (e *element) optional() bool {
	return e.RepetitionType.Valid && e.RepetitionType.V == format.Optional
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (e *element) names() []string {
	names := make([]string, len(e.children))
	for i, c := range e.children {
		names[i] = c.Name
	}
	return names
}

func (e *element) converted(t deprecated.ConvertedType) bool {
	return e.LogicalType.Value == nil && e.ConvertedType.Valid && e.ConvertedType.V == t
}

// list returns the elements of a list: how repeated holds them, and the element.
// The rules are those of the format's "backward compatibility".
func (e *element) list() (repeated, item *element, ok bool) {
	if _, is := e.LogicalType.Value.(*format.ListType); !is && !e.converted(deprecated.List) {
		return nil, nil, false
	}
	if len(e.children) != 1 || !e.children[0].repeated() {
		return nil, nil, false
	}
	repeated = e.children[0]
	if len(repeated.children) != 1 || repeated.Name == "array" || repeated.Name == e.Name+"_tuple" || repeated.children[0].repeated() {
		return repeated, nil, true // the repeated element is the item
	}
	return repeated, repeated.children[0], true
}

// entries returns the elements of a map.
func (e *element) entries() (repeated, key, value *element, ok bool) {
	if _, is := e.LogicalType.Value.(*format.MapType); !is && !e.converted(deprecated.Map) && !e.converted(deprecated.MapKeyValue) {
		return nil, nil, nil, false
	}
	if len(e.children) != 1 || !e.children[0].repeated() || len(e.children[0].children) != 2 {
		return nil, nil, nil, false
	}
	repeated = e.children[0]
	return repeated, repeated.children[0], repeated.children[1], true
}

// logical returns what the values of a leaf mean, from the old annotation where
// there is no new one; nil: what their physical type says.
func (e *element) logical() any {
	if v := e.LogicalType.Value; v != nil || !e.ConvertedType.Valid {
		return v
	}
	integer := func(bits int8, signed bool) any { return &format.IntType{BitWidth: bits, IsSigned: signed} }
	switch e.ConvertedType.V {
	case deprecated.UTF8:
		return &format.StringType{}
	case deprecated.Enum:
		return &format.EnumType{}
	case deprecated.Json:
		return &format.JsonType{}
	case deprecated.Bson:
		return &format.BsonType{}
	case deprecated.Decimal:
		return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimeMillis:
		return &format.TimeType{Unit: millis}
	case deprecated.TimeMicros:
		return &format.TimeType{Unit: micros}
	case deprecated.TimestampMillis:
		return &format.TimestampType{Unit: millis}
	case deprecated.TimestampMicros:
		return &format.TimestampType{Unit: micros}
	case deprecated.Uint8:
		return integer(8, false)
	case deprecated.Uint16:
		return integer(16, false)
	case deprecated.Uint32:
		return integer(32, false)
	case deprecated.Uint64:
		return integer(64, false)
	case deprecated.Int8:
		return integer(8, true)
	case deprecated.Int16:
		return integer(16, true)
	case deprecated.Int32:
		return integer(32, true)
	case deprecated.Int64:
		return integer(64, true)
	case deprecated.Interval:
		return interval{}
	}
	return nil
}

// interval is the old annotation INTERVAL, which has no new one.
type interval struct{}

func (interval) String() string { return "INTERVAL" }

var (
	millis = format.TimeUnit{Value: &format.MilliSeconds{}}
	micros = format.TimeUnit{Value: &format.MicroSeconds{}}
)

// String says what the element is, for errors.
func (e *element) String() string {
	switch _, _, isList := e.list(); {
	case isList:
		return "a list"
	case e.children != nil:
		if _, _, _, isMap := e.entries(); isMap {
			return "a map"
		}
		return fmt.Sprintf("a group of %q", e.names())
	}
	s := e.SchemaElement.Type.V.String()
	if e.SchemaElement.Type.V == format.FixedLenByteArray {
		s += fmt.Sprintf("(%d)", e.TypeLength.V)
	}
	if l := e.logical(); l != nil {
		s = fmt.Sprintf("%v (%s)", l, strings.ToLower(s))
	}
	if e.repeated() {
		s = "repeated " + s
	}
	return s
}
