package state_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/anytype"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// header is the first byte of a stored value that does not expire.
const header = 0x10

func untyped(t interface{ Fatal(...any) }, d state.Descriptor) *state.Untyped {
	u, err := state.UntypedOf(d)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What people see is what encoding/json makes of the value, but for the types that it has
// no or another place for.
func TestUntypedValues(t *testing.T) {
	type inner struct {
		Name string
		Tags []string
	}
	type all struct {
		B    bool
		I8   int8
		I64  int64
		U16  uint16
		F32  float32
		F64  float64
		S    string
		At   time.Time
		Raw  []byte
		None []int
		Arr  [2]int16
		In   *inner
		Nil  *inner
		M    map[string]inner
		Nums map[int32]bool
	}
	v := all{
		B: true, I8: -3, I64: math.MinInt64, U16: 65535, F32: 0.1, F64: 1e300, S: "a\"<é\n", At: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), Raw: []byte{0, 255},
		Arr: [2]int16{1, -2}, In: &inner{"x", []string{"p", "q"}}, M: map[string]inner{"b": {}, "a": {Name: "n"}}, Nums: map[int32]bool{7: true},
	}
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	checkUntyped(t, v, string(want))
	checkUntyped(t, "\xff", `"base64:/w=="`)
	checkUntyped(t, "base64:", `"base64:YmFzZTY0Og=="`)
	checkUntyped(t, math.NaN(), `"NaN"`)
	checkUntyped(t, float32(math.Inf(-1)), `"-Inf"`)
	checkUntyped(t, netip.MustParseAddr("1.2.3.4"), `"AQIDBA=="`)
	checkUntyped(t, map[[2]bool]int{{true, false}: 5, {true, true}: 6}, `[[[true,false],5],[[true,true],6]]`)
	checkUntyped(t, map[[2]bool]int{}, `[]`)
	checkUntyped(t, [3]struct{}{}, `[{},{},{}]`)
}

func checkUntyped[V any](t *testing.T, v V, want string) {
	t.Helper()
	c := codecOf[V](t)
	stored, err := c.Append([]byte{header}, v)
	if err != nil {
		t.Fatal(err)
	}
	e, counts, err := untyped(t, state.Descriptor{Kind: state.KindValue, Key: "uint8", Value: c.Signature()}).Decode([]byte{0, 9, 42, 0}, stored)
	if err != nil || !counts || string(e.Value) != want || string(e.Key) != "42" || e.Group != 9 {
		t.Errorf("%+v, %v, %v, want %s", e, counts, err, want)
	}
}

// I16: every signature says all that is needed to read what its codec wrote.
func TestUntypedReadsAnyType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			typ := anytype.Draw(t, 3)
			c, err := state.ReflectCodecOf(typ)
			if err != nil {
				continue
			}
			v := reflect.New(typ).Elem()
			anytype.Values{}.Fill(t, v)
			stored, err := c.Append([]byte{header}, v)
			if err != nil {
				t.Fatal(err)
			}
			u := untyped(t, state.Descriptor{Kind: state.KindValue, Key: "uint8", Value: c.Signature()})
			e, counts, err := u.Decode([]byte{0, 9, 42, 0}, stored)
			if err != nil || !counts || !json.Valid(e.Value) {
				t.Fatalf("%v, %s: %x became %s, %v", typ, c.Signature(), stored, e.Value, err)
			}
			// Any cut of it is refused, and nothing panics.
			if len(stored) > 1 {
				if _, _, err := u.Decode([]byte{0, 9, 42, 0}, stored[:len(stored)-1]); !errors.Is(err, state.ErrCorrupt) {
					t.Fatalf("%v: %x is taken for whole: %v", typ, stored[:len(stored)-1], err)
				}
			}
		}
	})
}

// A key that is written as it is shown finds its entries.
func TestUntypedFindsKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			typ := anytype.Draw(t, 2)
			if !typ.Comparable() {
				continue
			}
			c, err := state.ReflectKeyCodecOf(typ)
			if err != nil {
				continue
			}
			k := reflect.New(typ).Elem()
			anytype.Values{}.Fill(t, k)
			group := keygroup.Of(c.Hash(k), 128)
			row := c.Append(keygroup.AppendPrefix(nil, group), k)
			u := untyped(t, state.Descriptor{Kind: state.KindValue, Key: c.Signature(), Value: "bool"})
			e, _, err := u.Decode(append(row[:len(row):len(row)], 0), []byte{header, 1})
			if err != nil {
				t.Fatalf("%v: %x: %v", typ, row, err)
			}
			found, in, err := u.Row(string(e.Key), 128)
			if err != nil || string(found) != string(row) || in != group {
				t.Fatalf("%v: key %s is %x in %d, want %x in %d: %v", typ, e.Key, found, in, row, group, err)
			}
		}
	})
}

func TestUntypedRefusesKeys(t *testing.T) {
	for _, c := range []struct{ signature, text, says string }{
		{"int8", "128", "128 is no int8"},
		{"int8", "x", "not JSON for a int8"},
		{"uint64", "-1", "-1 is no uint64"},
		{"bool", "1", "1 is no bool"},
		{"{A int8,B string}", `{"A":1}`, "field B is missing"},
		{"{A int8,B string}", `{"A":1,"B":2}`, "field B: 2 is no string"},
		{"{A int8}", `{"A":1,"C":2}`, "there is no field C, only A"},
		{"[2]bool", `[true]`, "is no [2]bool"},
		{"int8", "1 2", "something follows"},
		{"int8", "5}", "something follows"},
	} {
		u := untyped(t, state.Descriptor{Kind: state.KindValue, Key: c.signature, Value: "bool"})
		if _, _, err := u.Row(c.text, 128); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s as %s: %v, want %q", c.text, c.signature, err, c.says)
		}
	}
	u := untyped(t, state.Descriptor{Kind: state.KindValue, Key: "string", Value: "bool"})
	plain, _, err := u.Row("42", 128)
	if err != nil {
		t.Fatal(err)
	}
	if quoted, _, err := u.Row(`"42"`, 128); err != nil || string(quoted) != string(plain) {
		t.Errorf("%x and %x, %v", quoted, plain, err)
	}
}
