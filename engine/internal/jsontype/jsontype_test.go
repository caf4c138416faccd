package jsontype_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/anytype"
	"github.com/tidemark/tidemark/engine/internal/jsontype"
)

// I16: values of a type come back from JSON equal, or the type is refused.
func TestComesBackOrIsRefused(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 100 {
			typ := anytype.Draw(t, 3)
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
	anytype.Values{Finite: true, Text: true, Years: true}.Fill(t, sent.Elem())
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
	if !anytype.Same(sent.Elem(), got.Elem(), "json") {
		t.Fatalf("%v: sent %+v, got %+v, by %s", typ, sent.Elem(), got.Elem(), line.Bytes())
	}
}

// I16: what is refused, and what is not, by name.
func TestCheck(t *testing.T) {
	type wrapped struct {
		A []map[string]anytype.Stamped
	}
	for _, c := range []struct {
		t           reflect.Type
		write, read string // what the error says; "": none
	}{
		{reflect.TypeFor[anytype.Plain](), "", ""},
		{reflect.TypeFor[anytype.Tree](), "", ""},
		{reflect.TypeFor[anytype.Embeds](), "", ""},
		{reflect.TypeFor[anytype.LeftOut](), "", ""},
		{reflect.TypeFor[anytype.OwnJSON](), "", ""},
		{reflect.TypeFor[anytype.OwnJSONPointer](), "", ""},
		{reflect.TypeFor[map[anytype.Color]int](), "", ""},
		{reflect.TypeFor[map[string]anytype.OwnJSONPointer](), "values of a map are not written by the method MarshalJSON", ""},
		{reflect.TypeFor[any](), "", "forgets its type"},
		{reflect.TypeFor[anytype.Hidden](), "Hidden.b: the field is not exported", "Hidden.b: the field is not exported"},
		{reflect.TypeFor[anytype.Twice](), `Twice.Right.Same: "Same" is the name of the field Left.Same too`, `"Same" is the name`},
		{reflect.TypeFor[anytype.Shadows](), `"A" is the name of the field Plain.A too`, `"A" is the name`},
		{reflect.TypeFor[anytype.Stamped](), "the method MarshalJSON that anytype.Stamped gets from the embedded time.Time", "the method UnmarshalJSON that"},
		{reflect.TypeFor[anytype.StampedTag](), "the embedded time.Time", "the embedded time.Time"},
		{reflect.TypeFor[anytype.StampedPointer](), "the embedded *time.Time", "the embedded *time.Time"},
		{reflect.TypeFor[anytype.DeepStamped](), "the embedded anytype.Stamped", "the embedded anytype.Stamped"},
		{reflect.TypeFor[wrapped](), "wrapped.A[][]: ", "wrapped.A[][]: "},
		{reflect.TypeFor[map[anytype.Angled]int](), "use another key", "use another key"},
		{reflect.TypeFor[map[time.Time]int](), "== also compares locations", "== also compares locations"},
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
