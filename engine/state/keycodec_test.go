package state_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"math"
	"math/bits"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

func keyCodecOf[K comparable](t testing.TB) state.KeyCodec[K] {
	t.Helper()
	c, err := state.KeyCodecOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkKeys draws pairs of keys: each comes back, whatever follows it; the
// encodings order as the keys do; none is a prefix of another.
func checkKeys[K comparable](t *testing.T, gen *rapid.Generator[K], compare func(a, b K) int) {
	c := keyCodecOf[K](t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		ea, eb := c.Append(nil, a), c.Append(nil, b)
		if got, want := bytes.Compare(ea, eb), compare(a, b); got != want {
			t.Fatalf("%v and %v compare as %d, their encodings %x and %x as %d", a, b, want, ea, eb, got)
		}
		if a != b && (bytes.HasPrefix(ea, eb) || bytes.HasPrefix(eb, ea)) {
			t.Fatalf("of %x and %x one is a prefix of the other", ea, eb)
		}
		got, rest, err := c.Decode(append(bytes.Clone(ea), eb...))
		if err != nil || got != a || !bytes.Equal(rest, eb) {
			t.Fatalf("decode %x: %v, %x follows, %v; want %v", ea, got, rest, err, a)
		}
		for n := range ea {
			if _, _, err := c.Decode(ea[:n]); !errors.Is(err, state.ErrCorrupt) {
				t.Fatalf("decode %d bytes of %x: %v", n, ea, err)
			}
		}
		if (a == b) != (c.Hash(a) == c.Hash(b)) {
			t.Fatalf("hashes of %v and %v are %x and %x", a, b, c.Hash(a), c.Hash(b))
		}
	})
}

type route struct {
	Origin, Destination string
	Day                 int32
}

func TestKeyCodecs(t *testing.T) {
	t.Run("int", func(t *testing.T) { checkKeys(t, rapid.Int(), cmp.Compare[int]) })
	t.Run("int8", func(t *testing.T) { checkKeys(t, rapid.Int8(), cmp.Compare[int8]) })
	t.Run("int16", func(t *testing.T) { checkKeys(t, rapid.Int16(), cmp.Compare[int16]) })
	t.Run("int32", func(t *testing.T) { checkKeys(t, rapid.Int32(), cmp.Compare[int32]) })
	t.Run("int64", func(t *testing.T) { checkKeys(t, rapid.Int64(), cmp.Compare[int64]) })
	t.Run("uint8", func(t *testing.T) { checkKeys(t, rapid.Uint8(), cmp.Compare[uint8]) })
	t.Run("uint16", func(t *testing.T) { checkKeys(t, rapid.Uint16(), cmp.Compare[uint16]) })
	t.Run("uint32", func(t *testing.T) { checkKeys(t, rapid.Uint32(), cmp.Compare[uint32]) })
	t.Run("uint64", func(t *testing.T) { checkKeys(t, rapid.Uint64(), cmp.Compare[uint64]) })
	// Few letters, so that prefixes, escapes and equal keys are drawn often.
	text := rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 2, 'a', 'ÿ'}), 0, 5, -1)
	t.Run("string", func(t *testing.T) { checkKeys(t, text, cmp.Compare[string]) })
	t.Run("struct", func(t *testing.T) {
		gen := rapid.Custom(func(t *rapid.T) route {
			return route{text.Draw(t, "origin"), text.Draw(t, "destination"), rapid.Int32Range(-2, 2).Draw(t, "day")}
		})
		checkKeys(t, gen, func(a, b route) int {
			return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Day, b.Day))
		})
	})
	t.Run("array", func(t *testing.T) {
		gen := rapid.Custom(func(t *rapid.T) [2]string { return [2]string{text.Draw(t, "0"), text.Draw(t, "1")} })
		checkKeys(t, gen, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	})
	t.Run("bool", func(t *testing.T) {
		checkKeys(t, rapid.Bool(), func(a, b bool) int {
			switch {
			case a == b:
				return 0
			case b:
				return -1
			}
			return 1
		})
	})
}

// I9: encodings and hashes lie in users' checkpoints and never change. Those
// of 1, -1 and "" are known values of SplitMix64 and XXH3; the others were
// computed by this package when it was written.
func TestKeyGolden(t *testing.T) {
	golden(t, int64(-1), "7fffffffffffffff", 0xe4d971771b652c20)
	golden(t, 1, "8000000000000001", 0x910a2dec89025cc1)
	golden(t, int8(-1), "7f", 0xe4d971771b652c20)
	golden(t, uint16(1), "0001", 0x910a2dec89025cc1)
	golden(t, true, "01", 0x910a2dec89025cc1)
	golden(t, "", "00", 0x2d06800538d394c2)
	golden(t, "a\x00\x01b", "6101010102"+"6200", 0xf320458aa98f80a9)
	golden(t, route{"AMS", "JFK", 3}, "414d5300"+"4a464b00"+"80000003", 0x3c1225aabffb474d)
	golden(t, [2]uint8{1, 2}, "0102", 0xe83ab1275467f197)
	golden(t, struct{}{}, "", 0)
}

func golden[K comparable](t *testing.T, k K, encoded string, hash uint64) {
	t.Helper()
	c := keyCodecOf[K](t)
	if got := hex.EncodeToString(c.Append(nil, k)); got != encoded {
		t.Errorf("%v is encoded as %s, want %s", k, got, encoded)
	}
	if got := c.Hash(k); got != hash {
		t.Errorf("the hash of %v is %#x, want %#x", k, got, hash)
	}
}

// The hash that EachKey derives from stored bytes is the one that routed the
// records: see statetest for strings.
func TestHashFollowsFromTheEncoding(t *testing.T) {
	hashFromBytes(t, []int{0, 1, -1, math.MaxInt, math.MinInt})
	hashFromBytes(t, []int8{0, 1, -1, 127, -128})
	hashFromBytes(t, []int16{0, 1, -1, math.MinInt16})
	hashFromBytes(t, []int32{0, 1, -1, math.MinInt32})
	hashFromBytes(t, []uint8{0, 255})
	hashFromBytes(t, []uint16{0, math.MaxUint16})
	hashFromBytes(t, []uint32{0, math.MaxUint32})
	hashFromBytes(t, []uint64{0, math.MaxUint64})
	hashFromBytes(t, []bool{false, true})
	hashFromBytes(t, []string{"", "a", "\x00", "\x01\x00b", strings.Repeat("long", 1000)})
	hashFromBytes(t, []route{{}, {"a", "\x00", -1}})
	hashFromBytes(t, [][3]int16{{}, {1, -2, 3}})
	hashFromBytes(t, []struct{}{{}})
}

// hashFromBytes stores a value for each key and compares what EachKey says.
func hashFromBytes[K comparable](t *testing.T, keys []K) {
	t.Helper()
	c := keyCodecOf[K](t)
	s := newSubtask(t, c.Signature())
	v := state.NewValue[bool](s, "v")
	for _, k := range keys {
		h := c.Hash(k)
		at := at{state.Current{Hash: h, Group: keygroup.Of(h, groups), Key: c.Append(nil, k)}}
		if err := v.Set(&at, true); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := s.registry.EachKey(t.Context(), func(cur *state.Current) error {
		k, rest, err := c.Decode(cur.Key)
		if err != nil || len(rest) > 0 {
			t.Errorf("key %x: %v, %x follows", cur.Key, err, rest)
		}
		if cur.Hash != c.Hash(k) || cur.Group != keygroup.Of(cur.Hash, groups) {
			t.Errorf("key %v has hash %x in group %d, want %x", k, cur.Hash, cur.Group, c.Hash(k))
		}
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != len(keys) {
		t.Errorf("%d of the keys %v were visited", n, keys)
	}
}

// Key groups take the upper half of the hash, and hash tables the lower: both
// must change with every bit of a key.
func TestHashesAreWellMixed(t *testing.T) {
	ints := keyCodecOf[uint64](t)
	pairs := keyCodecOf[[2]uint32](t)
	for name, hash := range map[string]func(x uint64) uint64{
		"uint64":    ints.Hash,
		"[2]uint32": func(x uint64) uint64 { return pairs.Hash([2]uint32{uint32(x >> 32), uint32(x)}) },
	} {
		var flips [64][64]int
		const n = 1000
		for i := range uint64(n) {
			h := hash(i)
			for in := range 64 {
				diff := h ^ hash(i^1<<in)
				for out := range 64 {
					flips[in][out] += int(diff >> out & 1)
				}
			}
		}
		for in := range flips {
			for out, c := range flips[in] {
				if c < n*2/5 || c > n*3/5 {
					t.Errorf("%s: bit %d of the key flips bit %d of the hash in %d of %d keys", name, in, out, c, n)
				}
			}
		}
	}
	var load [128]int
	const keys = 128 * 1000
	for i := range uint64(keys) {
		load[keygroup.Of(ints.Hash(i), 128)]++
	}
	for g, c := range load {
		if c < 800 || c > 1200 {
			t.Errorf("group %d has %d keys of %d", g, c, keys)
		}
	}
	if n := bits.OnesCount64(ints.Hash(0)); n < 16 || n > 48 {
		t.Errorf("the hash of 0 has %d bits set", n)
	}
}

func TestUnsupportedKeysAreNamed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{keyRefusal[float64](), "float64 is no key (NaN"},
		{keyRefusal[struct{ At float32 }](), ".At: a float32 is no key"},
		{keyRefusal[time.Time](), "use its UnixNano"},
		{keyRefusal[*int](), "*int is no key, since it is an address: use the int that it points to"},
		{keyRefusal[any](), "an interface {} is no key, since its type is open"},
		{keyRefusal[struct{ A, b int }](), ".b: the field is not exported"},
		{keyRefusal[[2]chan int](), "[]: a chan int is no key"},
		{keyRefusal[struct {
			A int `state:"-"`
		}](), "no field of a key can be left out"},
	} {
		if !errors.Is(c.err, state.ErrUnsupported) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want it to say %q", c.err, c.want)
		}
	}
}

func keyRefusal[K comparable]() error {
	_, err := state.KeyCodecOf[K]()
	return err
}

// I10: no bytes make a key decoder panic, and a key has one encoding.
func FuzzKeyDecode(f *testing.F) {
	c := keyCodecOf[route](f)
	f.Add([]byte{})
	f.Add(c.Append(nil, route{"a", "\x00\x01", -1}))
	f.Add([]byte{1, 3, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, rest, err := c.Decode(b)
		if err != nil {
			if !errors.Is(err, state.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if got := c.Append(nil, k); !bytes.Equal(got, b[:len(b)-len(rest)]) {
			t.Fatalf("%x decodes to %v, which is %x", b, k, got)
		}
	})
}
