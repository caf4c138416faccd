package jsontype_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/jsontype"
)

type (
	celsius float64
	word    string
	plain   struct {
		A int
		B string `json:"b,omitempty"`
	}
	tree struct {
		N    int
		Left *tree
		More map[string]tree
	}
	embeds struct {
		plain
		C int
	}
	embedsPointer struct {
		*Exported
		C int
	}
	Exported   struct{ X, Y int }
	quotedText struct {
		S string `json:",string"`
		N int    `json:"n,string"`
	}

	shadows struct {
		plain
		A int
	}
	left  struct{ Same int }
	right struct{ Same int }
	twice struct {
		left
		right
	}
	hidden struct {
		A int
		b int
	}
	leftOut struct {
		A int
		b int `json:"-"`
	}
	stamped struct {
		time.Time
		N int
	}
	stampedTag struct {
		time.Time `json:"t"`
		N         int
	}
	stampedPointer struct {
		*time.Time
		N int
	}
	deepStamped struct {
		stamped
		M int
	}
	ownStamped struct {
		time.Time
		N int
	}
	ownPointer struct {
		time.Time
		N int
	}
	color    int
	byPtr    struct{ N int }
	textWord string
)

func (o ownStamped) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.UnixNano(), o.N})
}

func (o *ownStamped) UnmarshalJSON(b []byte) error {
	var v [2]int64
	err := json.Unmarshal(b, &v)
	o.Time, o.N = time.Unix(0, v[0]).UTC(), int(v[1])
	return err
}

func (o *ownPointer) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.UnixNano(), o.N})
}

func (o *ownPointer) UnmarshalJSON(b []byte) error {
	var v [2]int64
	err := json.Unmarshal(b, &v)
	o.Time, o.N = time.Unix(0, v[0]).UTC(), int(v[1])
	return err
}

func (c color) MarshalText() ([]byte, error) {
	return strconv.AppendInt([]byte("c"), int64(c), 10), nil
}
func (c *color) UnmarshalText(b []byte) error {
	n, err := strconv.Atoi(strings.TrimPrefix(string(b), "c"))
	*c = color(n)
	return err
}

func (p *byPtr) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(p.N)+1, 10), nil }
func (p *byPtr) UnmarshalText(b []byte) error {
	n, err := strconv.Atoi(string(b))
	p.N = n - 1
	return err
}

func (w textWord) MarshalText() ([]byte, error)  { return []byte("<" + w + ">"), nil }
func (w *textWord) UnmarshalText(b []byte) error { *w = textWord(b[1 : len(b)-1]); return nil }

// leaves are types that come back, and types that do not.
var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint16](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[[2]byte](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[time.Duration](), reflect.TypeFor[celsius](), reflect.TypeFor[word](), reflect.TypeFor[plain](),
	reflect.TypeFor[tree](), reflect.TypeFor[embeds](), reflect.TypeFor[embedsPointer](), reflect.TypeFor[quotedText](),
	reflect.TypeFor[shadows](), reflect.TypeFor[twice](), reflect.TypeFor[hidden](), reflect.TypeFor[leftOut](),
	reflect.TypeFor[stamped](), reflect.TypeFor[stampedTag](), reflect.TypeFor[stampedPointer](), reflect.TypeFor[deepStamped](),
	reflect.TypeFor[ownStamped](), reflect.TypeFor[ownPointer](), reflect.TypeFor[color](), reflect.TypeFor[byPtr](), reflect.TypeFor[textWord](),
	reflect.TypeFor[any](), reflect.TypeFor[func()](), reflect.TypeFor[chan int](), reflect.TypeFor[complex128](), reflect.TypeFor[struct{}](),
}

func drawType(t *rapid.T, depth int) reflect.Type {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return reflect.SliceOf(drawType(t, depth-1))
	case 2:
		return reflect.ArrayOf(rapid.IntRange(0, 2).Draw(t, "length"), drawType(t, depth-1))
	case 3:
		key := rapid.SampledFrom(leaves).Draw(t, "key")
		if !key.Comparable() {
			key = reflect.TypeFor[string]()
		}
		return reflect.MapOf(key, drawType(t, depth-1))
	case 4:
		return reflect.PointerTo(drawType(t, depth-1))
	case 5:
		var fields []reflect.StructField
		for i := range rapid.IntRange(1, 4).Draw(t, "fields") {
			f := reflect.StructField{Name: fmt.Sprint("F", i), Type: drawType(t, depth-1)}
			switch rapid.IntRange(0, 4).Draw(t, "tag") {
			case 0:
				f.Tag = `json:"same"`
			case 1:
				f.Tag = reflect.StructTag(fmt.Sprintf(`json:"f-%d"`, i))
			case 2:
				if k := f.Type.Kind(); k != reflect.Slice && k != reflect.Map && k != reflect.Array {
					f.Tag = `json:",omitempty"`
				}
			}
			fields = append(fields, f)
		}
		return reflect.StructOf(fields)
	}
	leaf := rapid.SampledFrom(leaves).Draw(t, "leaf")
	if good := rapid.SampledFrom(leaves[:16]).Draw(t, "good"); rapid.IntRange(0, 3).Draw(t, "any") > 0 {
		leaf = good // or hardly a type would be accepted
	}
	return leaf
}

// fill draws a value. Nothing stands in what a type leaves out on purpose.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		at := time.Unix(rapid.Int64Range(-62e9, 250e9).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC()
		v.Set(reflect.ValueOf(at))
		return
	case reflect.TypeFor[ownStamped](), reflect.TypeFor[ownPointer]():
		v.Field(0).Set(reflect.ValueOf(time.Unix(0, rapid.Int64Range(0, 1<<60).Draw(t, "nanos")).UTC()))
		v.Field(1).SetInt(rapid.Int64Range(-9, 9).Draw(t, "n"))
		return
	}
	many := func() int { return rapid.IntRange(0, max(0, min(3, depth))).Draw(t, "many") }
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case reflect.Float32:
		v.SetFloat(float64(rapid.Float32().Draw(t, "float32")))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "float64"))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Slice:
		if !rapid.Bool().Draw(t, "nil") {
			v.Set(reflect.MakeSlice(v.Type(), many(), 3))
		}
		for i := range v.Len() {
			fill(t, v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), depth-1)
		}
	case reflect.Map:
		if rapid.Bool().Draw(t, "nil") {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range many() {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, depth-1)
			fill(t, value, depth-1)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		if many() > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth-1)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(rapid.Int64().Draw(t, "any")))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				if !v.Field(i).CanSet() { // an embedded struct that is not exported
					for j := range v.Field(i).NumField() {
						fill(t, v.Field(i).Field(j), depth-1)
					}
					continue
				}
				fill(t, v.Field(i), depth-1)
			}
		}
	}
}

// I16: values of a type come back from JSON equal, or the type is refused.
func TestComesBackOrIsRefused(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			typ := drawType(t, 3)
			if errors.Join(jsontype.Check(typ, jsontype.Write), jsontype.Check(typ, jsontype.Read)) != nil {
				refused++
				continue
			}
			accepted++
			comesBack(t, typ)
		}
	})
	if accepted < 100 || refused < 100 {
		t.Errorf("%d types accepted, %d refused", accepted, refused)
	}
}

func comesBack(t *rapid.T, typ reflect.Type) {
	sent := reflect.New(typ)
	fill(t, sent.Elem(), 4)
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(sent.Interface()); err != nil {
		t.Fatalf("%v: write %+v: %v", typ, sent.Elem(), err)
	}
	got := reflect.New(typ)
	if err := json.Unmarshal(line.Bytes(), got.Interface()); err != nil {
		t.Fatalf("%v: read %s: %v", typ, line.Bytes(), err)
	}
	if !reflect.DeepEqual(got.Interface(), sent.Interface()) {
		t.Fatalf("%v: sent %+v, got %+v, by %s", typ, sent.Elem(), got.Elem(), line.Bytes())
	}
}

// I16: what is refused, and what is not, by name.
func TestCheck(t *testing.T) {
	type wrapped struct {
		A []map[string]stamped
	}
	for _, c := range []struct {
		t           reflect.Type
		write, read string // what the error says; "": none
	}{
		{reflect.TypeFor[plain](), "", ""},
		{reflect.TypeFor[tree](), "", ""},
		{reflect.TypeFor[embeds](), "", ""},
		{reflect.TypeFor[leftOut](), "", ""},
		{reflect.TypeFor[ownStamped](), "", ""},
		{reflect.TypeFor[ownPointer](), "", ""},
		{reflect.TypeFor[map[color]int](), "", ""},
		{reflect.TypeFor[map[string]ownPointer](), "values of a map are not written by the method MarshalJSON", ""},
		{reflect.TypeFor[any](), "", "forgets its type"},
		{reflect.TypeFor[hidden](), "hidden.b: the field is not exported", "hidden.b: the field is not exported"},
		{reflect.TypeFor[twice](), `twice.right.Same: "Same" is the name of the field left.Same too`, `"Same" is the name`},
		{reflect.TypeFor[shadows](), `"A" is the name of the field plain.A too`, `"A" is the name`},
		{reflect.TypeFor[stamped](), "the method MarshalJSON that jsontype_test.stamped gets from the embedded time.Time", "the method UnmarshalJSON that"},
		{reflect.TypeFor[stampedTag](), "the embedded time.Time", "the embedded time.Time"},
		{reflect.TypeFor[stampedPointer](), "the embedded *time.Time", "the embedded *time.Time"},
		{reflect.TypeFor[deepStamped](), "the embedded jsontype_test.stamped", "the embedded jsontype_test.stamped"},
		{reflect.TypeFor[wrapped](), "wrapped.A[][]: ", "wrapped.A[][]: "},
		{reflect.TypeFor[map[textWord]int](), "use another key", "use another key"},
		{reflect.TypeFor[map[float64]int](), "is no key", "is no key"},
		{reflect.TypeFor[**int](), "null could be", "null could be"},
		{reflect.TypeFor[*[]int](), "null could be", "null could be"},
		{reflect.TypeFor[*json.RawMessage](), "", ""},
		{reflect.TypeFor[chan int](), "JSON has nothing for a chan int", "JSON has nothing"},
	} {
		for use, want := range map[*jsontype.Use]string{&jsontype.Write: c.write, &jsontype.Read: c.read} {
			err := jsontype.Check(c.t, *use)
			if want == "" && err != nil || want != "" && (!errors.Is(err, jsontype.ErrLossy) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%v: got %v, want %q", c.t, err, want)
			}
		}
	}
}
