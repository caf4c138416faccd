package state_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
)

func TestCompatible(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{"int64", "int64", ""},
		{"{}", "{A int64}", ""},
		{"{A int64}", "{A int64,B map[string][]*time}", ""},
		{"[]{A int64}", "[]{A int64,B string}", ""},
		{"map[string]*[3]{A int64}", "map[string]*[3]{A int64,B string}", ""},
		{"{A {B string},C bool}", "{A {B string,D int8},C bool}", ""},
		{"int16", "int32", ""},
		{"{A []uint32}", "{A []uint64}", ""},
		{"binary(net/netip.Addr)", "binary(net/netip.Addr)", ""},
		{"my own format", "my own format", ""},

		{"int64", "int32", "the type was int64 and is int32"},
		{"int8", "int64", "was int8 and is int64"}, // one byte, not a varint
		{"uint32", "int64", "was uint32 and is int64"},
		{"float32", "float64", "was float32 and is float64"},
		{"{A int64,B string}", "{A int64}", `field "B" of the type is gone`},
		{"{A int64,B string}", "{A int64,C string}", `field 2 of the type was "B" and is "C"`},
		{"{A int64,B string}", "{B string,A int64}", `field 1 of the type was "A" and is "B"`},
		{"{A int64}", "{A string}", `field "A" of the type was int64 and is string`},
		{"{A {B string}}", "{A {B bool}}", `field "B" of field "A" of the type was string`},
		{"[3]bool", "[4]bool", "the type was [3]bool and is [4]bool"},
		{"[]bool", "map[bool]bool", "was []bool and is map[bool]bool"},
		{"map[string]bool", "map[bool]bool", "a key of the type was string"},
		{"binary(a.B)", "binary(a.C)", "was binary(a.B) and is binary(a.C)"},
		{"my own format", "int64", "was my own format and is int64"},
		{"int64", "", "was int64 and is nothing"},
	} {
		err := state.Compatible(c.old, c.now)
		if c.want == "" && err != nil {
			t.Errorf("%s to %s: %v", c.old, c.now, err)
		}
		if c.want != "" && (!errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "change it back")) {
			t.Errorf("%s to %s: got %v, want it to say %q", c.old, c.now, err, c.want)
		}
	}
}

// What Compatible accepts decodes, and new fields are zero.
func TestWhatIsCompatibleDecodes(t *testing.T) {
	type item1 struct{ A int32 }
	type v1 struct {
		Items []item1
		N     uint16
	}
	type item2 struct {
		A int64
		B string
	}
	type v2 struct {
		Items []item2
		N     uint64
		M     map[string]int
		P     *int
	}
	from, to := codecOf[v1](t), codecOf[v2](t)
	if err := state.Compatible(from.Signature(), to.Signature()); err != nil {
		t.Fatal(err)
	}
	got := v2{M: map[string]int{"left": 1}}
	if err := to.Decode(encode(t, from, v1{[]item1{{-1}, {2}}, 3}), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 2 || got.Items[0] != (item2{-1, ""}) || got.Items[1] != (item2{2, ""}) || got.N != 3 || got.M != nil || got.P != nil {
		t.Fatalf("got %+v", got)
	}
	// The other way is refused by the bytes too.
	var old v1
	if err := from.Decode(encode(t, to, v2{}), &old); !errors.Is(err, state.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

func TestDescriptorFitsNamesEveryMisfit(t *testing.T) {
	old := state.Descriptor{Name: "s", Kind: state.KindMap, Key: "int64", MapKey: "string", Value: "{A bool}"}
	if err := old.Fits(old); err != nil {
		t.Error(err)
	}
	grown := old
	grown.Value = "{A bool,B bool}"
	if err := grown.Fits(old); err != nil {
		t.Error(err)
	}
	other := state.Descriptor{Name: "s", Kind: state.KindValue, Key: "string", Namespace: "window", Value: "bool"}
	err := other.Fits(old)
	for _, want := range []string{`state "s"`, "kind was map and is value", "key was int64 and is string", "namespace was nothing and is window", "map key was string and is nothing", "type was {A bool} and is bool"} {
		if !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in: %v", want, err)
		}
	}
}

// aliased is a codec with the signature of another one.
type aliased[V any] struct {
	state.Codec[V]
	signature string
}

func (a aliased[V]) Signature() string { return a.signature }

type moved struct{ addr netip.Addr }

func (m moved) MarshalBinary() ([]byte, error)     { return m.addr.MarshalBinary() }
func (m *moved) UnmarshalBinary(data []byte) error { return m.addr.UnmarshalBinary(data) }

// A marshaler whose package or name changed is refused with what to do, and what it wrote
// is read once that is done.
func TestAMovedMarshalerIsRead(t *testing.T) {
	type was struct{ Addr netip.Addr }
	type is struct{ Addr moved }
	before, now := codecOf[was](t), codecOf[is](t)
	err := state.Compatible(before.Signature(), now.Signature())
	if !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), "a codec whose Signature is the old one") {
		t.Fatalf("got %v", err)
	}
	same := aliased[is]{now, before.Signature()}
	if err := state.Compatible(before.Signature(), same.Signature()); err != nil {
		t.Fatal(err)
	}
	var got is
	addr := netip.MustParseAddr("10.0.0.1")
	if err := same.Decode(encode(t, before, was{addr}), &got); err != nil || got.Addr.addr != addr {
		t.Errorf("got %v, %v", got, err)
	}
}

// I10: signatures come out of manifests, and may be anything.
func FuzzCompatible(f *testing.F) {
	f.Add("{A int64,B []string}", "{A int64}")
	f.Add("map[string", "[9]bool")
	f.Add("binary(x", "{A }")
	f.Add(strings.Repeat("[]", 10_000)+"bool", strings.Repeat("*", 10_000)+"bool")
	f.Fuzz(func(t *testing.T, old, now string) {
		if err := state.Compatible(old, now); err != nil && !errors.Is(err, state.ErrIncompatible) {
			t.Fatal(err)
		}
		if err := state.Compatible(old, old); err != nil {
			t.Fatal(err)
		}
	})
}
