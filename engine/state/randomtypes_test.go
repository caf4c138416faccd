package state_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/internal/anytype"
	"github.com/tidemark/tidemark/engine/state"
)

type (
	hiddenPart struct {
		A int64
		B int64 `state:"-"`
	}
	taggedTime struct {
		time.Time `state:"at"`
		Total     int64
	}
	// fold marshals two values alike.
	fold struct{ Name string }
)

func (f fold) MarshalBinary() ([]byte, error) { return []byte(strings.ToLower(f.Name)), nil }
func (f *fold) UnmarshalBinary(b []byte) error {
	f.Name = string(b)
	return nil
}

// I16: of any type, either each value comes back equal, or the type is refused.
func TestWhatIsEncodedComesBackEqualOrIsRefused(t *testing.T) {
	refused, kept := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			typ := anytype.Draw(t, 3)
			c, err := state.ReflectCodecOf(typ)
			if err != nil {
				if !errors.Is(err, state.ErrUnsupported) {
					t.Fatalf("%v: %v", typ, err)
				}
				refused++
				continue
			}
			kept++
			was := reflect.New(typ).Elem()
			anytype.Values{}.Fill(t, was)
			b, err := c.Append(nil, was)
			if err != nil {
				t.Fatalf("%v: encode %#v: %v", typ, was, err)
			}
			is, borrowed, err := c.Decode(b)
			if err != nil {
				t.Fatalf("%v: decode %x: %v", typ, b, err)
			}
			if !anytype.Same(was, is, "state") || !anytype.Same(was, borrowed, "state") {
				t.Fatalf("%v: %#v came back as %#v and %#v", typ, was, is, borrowed)
			}
			if again, err := c.Append(nil, is); err != nil || string(again) != string(b) {
				t.Fatalf("%v: encoded as %x, and again as %x, %v", typ, b, again, err)
			}
		}
	})
	if refused == 0 || kept == 0 {
		t.Errorf("%d types were refused, %d were not", refused, kept)
	}
}

// I16: the same for keys. Keys that are equal are encoded alike, and no others.
func TestKeysComeBackEqualOrAreRefused(t *testing.T) {
	refused, kept := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			typ := anytype.Draw(t, 2)
			if !typ.Comparable() {
				continue
			}
			c, err := state.ReflectKeyCodecOf(typ)
			if err != nil {
				if !errors.Is(err, state.ErrUnsupported) || !strings.Contains(err.Error(), "key "+typ.String()) {
					t.Fatalf("%v: %v", typ, err)
				}
				refused++
				continue
			}
			kept++
			var keys [2]reflect.Value
			var encoded [2]string
			for i := range keys {
				keys[i] = reflect.New(typ).Elem()
				anytype.Values{}.Fill(t, keys[i])
				b := c.Append(nil, keys[i])
				is, rest, err := c.Decode(append(b, "rest"...))
				if err != nil || string(rest) != "rest" || !is.Equal(keys[i]) {
					t.Fatalf("%v: %#v came back as %#v, %q, %v", typ, keys[i], is, rest, err)
				}
				if c.Hash(is) != c.Hash(keys[i]) {
					t.Fatalf("%v: %#v has two hashes", typ, is)
				}
				encoded[i] = string(b)
			}
			if keys[0].Equal(keys[1]) != (encoded[0] == encoded[1]) {
				t.Fatalf("%v: %#v and %#v are encoded as %x and %x", typ, keys[0], keys[1], encoded[0], encoded[1])
			}
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
