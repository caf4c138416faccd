package state_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/state"
)

type (
	namedInt       int32
	namedString    string
	namedSlice     []uint16
	generic[T any] struct {
		Inner T
		Note  string
	}
	withTime struct {
		time.Time
		Total int64
	}
	taggedTime struct {
		time.Time `state:"at"`
		Total     int64
	}
	hiddenPart struct {
		A int64
		B int64 `state:"-"`
	}
	// fold marshals two values alike.
	fold struct{ Name string }
)

func (f fold) MarshalBinary() ([]byte, error) { return []byte(strings.ToLower(f.Name)), nil }
func (f *fold) UnmarshalBinary(b []byte) error {
	f.Name = string(b)
	return nil
}

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int64](), reflect.TypeFor[int](),
	reflect.TypeFor[uint8](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[uint](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](),
	reflect.TypeFor[namedInt](), reflect.TypeFor[namedString](), reflect.TypeFor[namedSlice](), reflect.TypeFor[generic[string]](), reflect.TypeFor[generic[*time.Time]](),
	reflect.TypeFor[withTime](), reflect.TypeFor[taggedTime](), reflect.TypeFor[hiddenPart](), reflect.TypeFor[struct{}](), reflect.TypeFor[[0]int](),
	reflect.TypeFor[any](), reflect.TypeFor[chan int](), reflect.TypeFor[complex64](), reflect.TypeFor[uintptr](),
}

func drawType(t *rapid.T, depth int) reflect.Type {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 8).Draw(t, "kind")
	}
	switch kind {
	case 4:
		return reflect.SliceOf(drawType(t, depth-1))
	case 5:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "length"), drawType(t, depth-1))
	case 6:
		return reflect.PointerTo(drawType(t, depth-1))
	case 7:
		key := drawType(t, depth-1)
		if !key.Comparable() {
			key = reflect.TypeFor[string]()
		}
		return reflect.MapOf(key, drawType(t, depth-1))
	case 8:
		var fields []reflect.StructField
		for i := range rapid.IntRange(0, 3).Draw(t, "fields") {
			f := reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: drawType(t, depth-1)}
			f.Tag = rapid.SampledFrom([]reflect.StructTag{"", "", "", `state:"-"`, reflect.StructTag(fmt.Sprintf(`state:"f_%d"`, i))}).Draw(t, "tag")
			fields = append(fields, f)
		}
		return reflect.StructOf(fields)
	}
	return rapid.SampledFrom(leaves).Draw(t, "leaf")
}

var zones = []*time.Location{time.UTC, time.Local, time.FixedZone("", 3600), time.FixedZone("half", -1800)}

// fillIn sets v to any value; fields that no codec takes, and are left out, stay zero.
func fillIn(t *rapid.T, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(rapid.SampledFrom(zones).Draw(t, "zone"))
		if rapid.Bool().Draw(t, "now") {
			*p = time.Now()
		}
		return
	case *netip.Addr:
		*p = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("fe80::1%eth0")}).Draw(t, "address")
		return
	}
	length := func() int { return rapid.IntRange(-1, 3).Draw(t, "length") }
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint"))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.NaN(), math.SmallestNonzeroFloat32}).Draw(t, "float"))
	case reflect.String:
		v.SetString(string(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "string")))
	case reflect.Array:
		for i := range v.Len() {
			fillIn(t, v.Index(i))
		}
	case reflect.Slice:
		if n := length(); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fillIn(t, v.Index(i))
			}
		}
	case reflect.Pointer:
		if length() >= 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillIn(t, v.Elem())
		}
	case reflect.Map:
		if n := length(); n >= 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				fillIn(t, key)
				fillIn(t, value)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(t, v.Field(i))
		}
	}
}

// same reports whether what was decoded equals what was encoded: instants by Equal,
// fields that are left out not at all, floats bit by bit.
func same(was, is reflect.Value) bool {
	if at, ok := was.Interface().(time.Time); ok {
		return at.Equal(is.Interface().(time.Time))
	}
	if at, ok := was.Interface().(netip.Addr); ok {
		return at == is.Interface().(netip.Addr)
	}
	switch was.Kind() {
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(was.Float()) == math.Float64bits(is.Float())
	case reflect.Slice:
		if was.IsNil() != is.IsNil() || was.Len() != is.Len() {
			return false
		}
		fallthrough
	case reflect.Array:
		for i := range was.Len() {
			if !same(was.Index(i), is.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		return was.IsNil() == is.IsNil() && (was.IsNil() || same(was.Elem(), is.Elem()))
	case reflect.Map:
		if was.IsNil() != is.IsNil() || was.Len() != is.Len() {
			return false
		}
		for it := was.MapRange(); it.Next(); {
			// Who has the key finds the value: that takes ==.
			if there := is.MapIndex(it.Key()); !there.IsValid() || !same(it.Value(), there) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range was.NumField() {
			if was.Type().Field(i).Tag.Get("state") != "-" && !same(was.Field(i), is.Field(i)) {
				return false
			}
		}
		return true
	}
	return was.Equal(is)
}

// I16: of any type, either each value comes back equal, or the type is refused.
func TestWhatIsEncodedComesBackEqualOrIsRefused(t *testing.T) {
	refused, kept := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		typ := drawType(t, 3)
		c, err := state.ReflectCodecOf(typ)
		if err != nil {
			if !errors.Is(err, state.ErrUnsupported) {
				t.Fatalf("%v: %v", typ, err)
			}
			refused++
			return
		}
		kept++
		was := reflect.New(typ).Elem()
		fillIn(t, was)
		b, err := c.Append(nil, was)
		if err != nil {
			t.Fatalf("%v: encode %#v: %v", typ, was, err)
		}
		is, borrowed, err := c.Decode(b)
		if err != nil {
			t.Fatalf("%v: decode %x: %v", typ, b, err)
		}
		if !same(was, is) || !same(was, borrowed) {
			t.Fatalf("%v: %#v came back as %#v and %#v", typ, was, is, borrowed)
		}
		if again, err := c.Append(nil, is); err != nil || string(again) != string(b) {
			t.Fatalf("%v: encoded as %x, and again as %x, %v", typ, b, again, err)
		}
	})
	if refused == 0 || kept == 0 {
		t.Errorf("%d types were refused, %d were not", refused, kept)
	}
}

// I16: a map whose keys may differ and be encoded alike could not be read again.
func TestMapKeysThatAreEncodedAlikeAreRefused(t *testing.T) {
	type nested struct {
		M map[[2]struct{ At time.Time }]int
	}
	for _, c := range []struct {
		err  error
		says string
	}{
		{refusal[map[time.Time]int](), "map[time.Time]int[key]: a time.Time is no map key"},
		{refusal[map[hiddenPart]int](), "[key].B: no field of a map key can be left out"},
		{refusal[map[float64]int](), "NaN"},
		{refusal[map[struct{ F float32 }]int](), "[key].F: a float32 is no map key"},
		{refusal[map[*int]int](), "a *int is no map key"},
		{refusal[map[taggedTime]int](), "[key].Time: a time.Time is no map key"},
		{refusal[nested](), "nested.M[key][].At: a time.Time is no map key"},
		{refusal[map[any]int](), "interface"},
	} {
		if !errors.Is(c.err, state.ErrUnsupported) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("got %v, want %q", c.err, c.says)
		}
	}
	codecOf[map[netip.Addr]int](t)
	folded := codecOf[map[fold]int](t)
	if _, err := folded.Append(nil, map[fold]int{{"A"}: 1, {"a"}: 2}); !errors.Is(err, state.ErrUnsupported) {
		t.Errorf("two keys with one encoding: %v", err)
	}
}
