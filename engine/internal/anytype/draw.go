package anytype

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// Draw draws a type: one of simple or odd, or a slice, an array, a pointer, a map or a
// struct of such, with tags.
func Draw(t *rapid.T, depth int) reflect.Type {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 7).Draw(t, "kind")
	}
	switch kind {
	case 3:
		return reflect.SliceOf(Draw(t, depth-1))
	case 4:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "length"), Draw(t, depth-1))
	case 5:
		return reflect.PointerTo(Draw(t, depth-1))
	case 6:
		key := Draw(t, depth-1)
		if !key.Comparable() {
			key = reflect.TypeFor[string]()
		}
		return reflect.MapOf(key, Draw(t, depth-1))
	case 7:
		return Struct(t, depth-1)
	}
	if rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
		return rapid.SampledFrom(odd).Draw(t, "leaf")
	}
	return rapid.SampledFrom(simple).Draw(t, "leaf")
}

// Struct draws a struct whose fields are drawn to the depth.
func Struct(t *rapid.T, depth int) reflect.Type {
	var fields []reflect.StructField
	for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
		f := reflect.StructField{Name: fmt.Sprint("F", i), Type: Draw(t, depth)}
		tag := ""
		switch rapid.IntRange(0, 9).Draw(t, "tag") {
		case 0:
			tag = "same" // perhaps as another field's
		case 1:
			tag = fmt.Sprint("f_", i)
		case 2:
			tag = "-"
		case 3:
			if k := f.Type.Kind(); k != reflect.Slice && k != reflect.Map && k != reflect.Array {
				f.Tag = `json:",omitempty"` // which drops an empty one on purpose
			}
		}
		if tag != "" {
			f.Tag = reflect.StructTag(fmt.Sprintf(`state:%[1]q json:%[1]q csv:%[1]q parquet:%[1]q`, tag))
		}
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

// Values bounds the values that Fill draws.
type Values struct {
	Finite bool // no NaN and no infinity
	Text   bool // strings are UTF-8
	Years  bool // times are of the years 1 to 9999
	Nanos  bool // an int64 holds the nanoseconds of times since 1970
}

var zones = []*time.Location{time.UTC, time.Local, time.FixedZone("", 3600), time.FixedZone("half", -1800)}

// opened is v where reflection may read and set it, exported or not.
func opened(v reflect.Value) reflect.Value {
	if v.CanAddr() && !v.CanSet() {
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	return v
}

// Example returns a value of type V; the same one for the same seed.
func Example[V any](x Values, seed int) V {
	return rapid.Custom(func(t *rapid.T) V {
		v := new(V)
		rapid.Bool().Draw(t, "something") // a generator must draw
		x.Fill(t, reflect.ValueOf(v).Elem())
		return *v
	}).Example(seed)
}

// Fill sets v, which has an address, to any value of its type.
func (x Values) Fill(t *rapid.T, v reflect.Value) { x.fill(t, v, 5) }

func (x Values) fill(t *rapid.T, v reflect.Value, depth int) {
	v = opened(v)
	nanos := func() time.Time { return time.Unix(0, rapid.Int64Range(0, 1<<60).Draw(t, "nanos")).UTC() }
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		least, most := int64(-1<<40), int64(1<<40)
		if x.Years {
			least, most = -62e9, 253e9
		}
		if x.Nanos {
			least, most = -9e9, 9e9
		}
		*p = time.Unix(rapid.Int64Range(least, most).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).In(rapid.SampledFrom(zones).Draw(t, "zone"))
		return
	case *netip.Addr:
		*p = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("fe80::1%eth0")}).Draw(t, "address")
		return
	case *OwnJSON:
		*p = OwnJSON{nanos(), rapid.IntRange(-9, 9).Draw(t, "n")}
		return
	case *OwnJSONPointer:
		*p = OwnJSONPointer{nanos(), rapid.IntRange(-9, 9).Draw(t, "n")}
		return
	}
	length := func() int { return rapid.IntRange(-1, max(-1, min(3, depth))).Draw(t, "length") }
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		f := rapid.Float64().Draw(t, "float")
		if v.Kind() == reflect.Float32 {
			f = float64(rapid.Float32().Draw(t, "float32"))
		}
		if !x.Finite && rapid.IntRange(0, 3).Draw(t, "special") == 0 {
			f = rapid.SampledFrom([]float64{math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN()}).Draw(t, "which")
		}
		v.SetFloat(f)
	case reflect.String:
		if x.Text || rapid.Bool().Draw(t, "text") {
			v.SetString(rapid.String().Draw(t, "string"))
		} else {
			v.SetString(string(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "bytes")))
		}
	case reflect.Array:
		for i := range v.Len() {
			x.fill(t, v.Index(i), depth-1)
		}
	case reflect.Slice:
		if n := length(); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				x.fill(t, v.Index(i), depth-1)
			}
		}
	case reflect.Pointer:
		if length() >= 0 && depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			x.fill(t, v.Elem(), depth-1)
		}
	case reflect.Map:
		if n := length(); n >= 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				x.fill(t, key, depth-1)
				x.fill(t, value, depth-1)
				if key.Comparable() {
					v.SetMapIndex(key, value)
				}
			}
		}
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(rapid.Int64().Draw(t, "any")))
		}
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(float64(rapid.Float32().Draw(t, "real")), float64(rapid.Float32().Draw(t, "imaginary"))))
	case reflect.Chan:
		v.Set(reflect.MakeChan(v.Type(), 0))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), nil))
	case reflect.Struct:
		for i := range v.NumField() {
			x.fill(t, v.Field(i), depth-1)
		}
	}
}

// Same reports whether what came back, is, equals what was sent: instants by Equal,
// floats bit by bit, and fields whose tag for the format is "-" not at all. In Parquet
// what is empty may be nil. Both have addresses.
func Same(was, is reflect.Value, format string) bool {
	was, is = opened(was), opened(is)
	switch a := was.Interface().(type) {
	case time.Time:
		return a.Equal(is.Interface().(time.Time))
	case netip.Addr:
		return a == is.Interface().(netip.Addr)
	}
	switch was.Kind() {
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(was.Float()) == math.Float64bits(is.Float())
	case reflect.Slice:
		if was.IsNil() != is.IsNil() && format != "parquet" || was.Len() != is.Len() {
			return false
		}
		fallthrough
	case reflect.Array:
		for i := range was.Len() {
			if !Same(was.Index(i), is.Index(i), format) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		return was.IsNil() == is.IsNil() && (was.IsNil() || Same(was.Elem(), is.Elem(), format))
	case reflect.Map:
		if was.IsNil() != is.IsNil() && format != "parquet" || was.Len() != is.Len() {
			return false
		}
		for it := was.MapRange(); it.Next(); {
			// Who has the key finds the value: that takes ==.
			there := is.MapIndex(it.Key())
			if !there.IsValid() || !Same(addressed(it.Value()), addressed(there), format) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range was.NumField() {
			if was.Type().Field(i).Tag.Get(format) != "-" && !Same(was.Field(i), is.Field(i), format) {
				return false
			}
		}
		return true
	case reflect.Func, reflect.Chan:
		return was.Pointer() == is.Pointer()
	}
	return was.Equal(is)
}

// addressed returns a copy of v that has an address.
func addressed(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Elem()
}
