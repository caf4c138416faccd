package jsontype

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// ErrLossy: values of a type do not come back from JSON as they were.
var ErrLossy = errors.New("JSON would lose values of the type")

// Use says what is done with a type.
type Use struct {
	verb  string
	json  method
	text  method
	loose bool // an interface may be anything
}

type method struct {
	name string
	of   reflect.Type
}

// The uses of a type.
var (
	Write = Use{"written",
		method{"MarshalJSON", reflect.TypeFor[json.Marshaler]()},
		method{"MarshalText", reflect.TypeFor[encoding.TextMarshaler]()}, true}
	Read = Use{"read",
		method{"UnmarshalJSON", reflect.TypeFor[json.Unmarshaler]()},
		method{"UnmarshalText", reflect.TypeFor[encoding.TextUnmarshaler]()}, false}
)

// Check refuses a type whose values could be lost; the error wraps ErrLossy.
// Values are taken to be written by their address.
func Check(t reflect.Type, use Use) error {
	c := checker{use, map[visit]bool{}}
	return c.check(t, t.String(), true)
}

type checker struct {
	use  Use
	done map[visit]bool
}

// visit is a check of a type, whose values may have an address.
type visit struct {
	t           reflect.Type
	addressable bool
}

func lossy(at, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrLossy, at, fmt.Sprintf(format, args...))
}

// has reports whether t has a method of its own for this use. addressable: one of
// its pointer is found too.
func (c *checker) has(t reflect.Type, m method, at string, addressable bool) (bool, error) {
	if !reflect.PointerTo(t).Implements(m.of) {
		return false, nil
	}
	if inner := Promoted(t, m.name); inner != nil {
		return true, lossy(at, "the method %s that %v gets from the embedded %v is all that is %s, without the other fields: make the embedded field a named one, or give %v the method", m.name, t, inner, c.use.verb, t)
	}
	if !t.Implements(m.of) && !addressable {
		return true, lossy(at, "values of a map are not written by the method %s of *%v: let it have a value receiver, or keep pointers", m.name, t)
	}
	return true, nil
}

// own reports whether t looks after itself.
func (c *checker) own(t reflect.Type, at string, addressable bool) (bool, error) {
	for _, m := range []method{c.use.json, c.use.text} {
		if found, err := c.has(t, m, at, addressable || m.name[0] == 'U'); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func (c *checker) check(t reflect.Type, at string, addressable bool) error {
	if t.Kind() != reflect.Pointer {
		if own, err := c.own(t, at, addressable); own || err != nil {
			return err
		}
	}
	if c.done[visit{t, addressable}] {
		return nil
	}
	c.done[visit{t, addressable}] = true
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return nil
	case reflect.Interface:
		if c.use.loose {
			return nil
		}
		return lossy(at, "a %v forgets its type, and the digits of large numbers: use a type of your own, or json.RawMessage", t)
	case reflect.Pointer:
		switch t.Elem().Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
			if own, err := c.own(t.Elem(), at, true); !own || err != nil {
				return errors.Join(err, lossy(at, "null could be the %v or what it points to: leave out the pointer", t))
			}
		}
		return c.check(t.Elem(), at, true)
	case reflect.Slice:
		return c.check(t.Elem(), at+"[]", true)
	case reflect.Array:
		return c.check(t.Elem(), at+"[]", addressable)
	case reflect.Map:
		if err := c.key(t.Key(), at+"[key]"); err != nil {
			return err
		}
		return c.check(t.Elem(), at+"[]", false)
	case reflect.Struct:
		fields, err := Fields(t)
		if err != nil {
			return fmt.Errorf("%w: %s%w", ErrLossy, at, err)
		}
		for _, f := range fields {
			if err := c.check(f.Type, at+"."+f.Path, addressable || f.behindPointer); err != nil {
				return err
			}
		}
		return nil
	}
	return lossy(at, "JSON has nothing for a %v: leave the field out (tag `json:\"-\"`), or use another type", t)
}

func (c *checker) key(t reflect.Type, at string) error {
	text, err := c.has(t, c.use.text, at, true)
	switch k := t.Kind(); {
	case err != nil:
		return err
	case t == reflect.TypeFor[time.Time]():
		return lossy(at, "a %v is no key, since == also compares locations, which are not written: use its UnixNano", t)
	case k == reflect.String && (text || reflect.PointerTo(t).Implements(Read.text.of)):
		return lossy(at, "a %v is written as its string and read by its method %s: use another key", t, Read.text.name)
	case k == reflect.String, k >= reflect.Int && k <= reflect.Uintptr && !text:
		return nil
	case text && k != reflect.Pointer && (c.use.verb == Read.verb || t.Implements(c.use.text.of)):
		return nil
	}
	return lossy(at, "a %v is no key of a JSON object: use a string or an integer", t)
}

// Promoted returns the embedded type that t has a method from; nil: t declares it,
// or has none. Reflection does not tell the two apart, but the compiler makes the
// first kind, and so it has no line in a file.
func Promoted(t reflect.Type, name string) reflect.Type {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var from reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		methods := f.Type
		if k := f.Type.Kind(); k != reflect.Pointer && k != reflect.Interface {
			methods = reflect.PointerTo(f.Type)
		}
		if _, ok := methods.MethodByName(name); f.Anonymous && ok {
			from = f.Type
		}
	}
	if from == nil {
		return nil
	}
	m, ok := t.MethodByName(name)
	if !ok {
		if m, ok = reflect.PointerTo(t).MethodByName(name); !ok {
			return nil
		}
	}
	pc := m.Func.Pointer()
	if file, _ := runtime.FuncForPC(pc).FileLine(pc); file != "<autogenerated>" {
		return nil
	}
	return from
}
