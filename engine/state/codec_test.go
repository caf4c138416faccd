package state_test

import (
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/state"
)

type (
	userID string
	level  int16
	flags  [3]bool
	inner  struct {
		Price float64
		Notes []string
	}
	Embedded struct{ Base uint32 }

	// everything holds every kind that a codec is derived for.
	everything struct {
		B    bool
		I    int
		I8   int8
		I16  int16
		I32  int32
		I64  int64
		U    uint
		U8   uint8
		U16  uint16
		U32  uint32
		U64  uint64
		F32  float32
		F64  float64
		S    string
		Raw  []byte
		ID   userID
		L    level
		Fl   flags
		Arr  [2]inner
		In   inner
		List []inner
		Ints []int32
		M    map[string]inner
		Deep map[level][]map[bool]string
		P    *inner
		PP   **int
		None struct{}
		Embedded
	}
)

// tb is what *testing.T, *testing.F and *rapid.T have in common.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func codecOf[V any](t tb) state.Codec[V] {
	t.Helper()
	c, err := state.CodecOf[V]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode[V any](t tb, c state.Codec[V], v V) []byte {
	t.Helper()
	b, err := c.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// roundTrip checks that v comes back into memory that held something else, and
// that every shortening and lengthening of its encoding is found out.
func roundTrip[V any](t tb, v V) {
	t.Helper()
	c := codecOf[V](t)
	b := encode(t, c, v)
	if with := string(must(c.Append([]byte("x"), v))); with != "x"+string(b) {
		t.Fatalf("%v: append to x gives %x, to nothing %x", v, with, b)
	}
	got := v
	if err := c.Decode(b, &got); err != nil {
		t.Fatalf("decode %x: %v", b, err)
	}
	if !reflect.DeepEqual(got, v) {
		t.Fatalf("got %#v, want %#v", got, v)
	}
	for n := range len(b) {
		if err := c.Decode(b[:n], &got); !errors.Is(err, state.ErrCorrupt) {
			t.Fatalf("decode of %d of the %d bytes %x: %v", n, len(b), b, err)
		}
	}
	if err := c.Decode(append(b, 0), &got); !errors.Is(err, state.ErrCorrupt) {
		t.Fatalf("decode with a byte too many: %v", err)
	}
	if err := state.Compatible(c.Signature(), c.Signature()); err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCodecRoundTrip(t *testing.T) {
	one := 1
	p := &one
	roundTrip(t, true)
	roundTrip(t, math.MinInt)
	roundTrip(t, int8(-128))
	roundTrip(t, int16(math.MinInt16))
	roundTrip(t, int32(math.MaxInt32))
	roundTrip(t, int64(math.MinInt64))
	roundTrip(t, uint(math.MaxUint))
	roundTrip(t, uint8(255))
	roundTrip(t, uint16(math.MaxUint16))
	roundTrip(t, uint32(math.MaxUint32))
	roundTrip(t, uint64(math.MaxUint64))
	roundTrip(t, float32(math.SmallestNonzeroFloat32))
	roundTrip(t, math.Inf(-1))
	roundTrip(t, math.Copysign(0, -1))
	roundTrip(t, "")
	roundTrip(t, strings.Repeat("tidemark\x00", 1000))
	roundTrip(t, userID("u"))
	roundTrip(t, []byte(nil))
	roundTrip(t, []byte{})
	roundTrip(t, []byte{0, 1})
	roundTrip(t, []string(nil))
	roundTrip(t, []string{})
	roundTrip(t, []string{"", "a"})
	roundTrip(t, [][]int{nil, {}, {1, -1}})
	roundTrip(t, make([]int64, 10_000))
	roundTrip(t, map[string]int(nil))
	roundTrip(t, map[string]int{})
	roundTrip(t, map[[2]int8]*int{{1, 2}: p, {}: nil})
	roundTrip(t, (*int)(nil))
	roundTrip(t, &p)
	roundTrip(t, struct{}{})
	roundTrip(t, []struct{}{{}, {}})
	roundTrip(t, time.Time{})
	roundTrip(t, time.Date(-5, 1, 2, 3, 4, 5, 999_999_999, time.UTC))
	roundTrip(t, []time.Time{time.Unix(1<<40, 1).UTC()})
	roundTrip(t, netip.MustParseAddr("2001:db8::1%eth0"))
	roundTrip(t, map[netip.Addr]netip.Prefix{netip.MustParseAddr("10.0.0.1"): netip.MustParsePrefix("10.0.0.0/8")})
	roundTrip(t, everything{})
}

func TestCodecRandomRoundTrip(t *testing.T) {
	gen := rapid.Make[everything]()
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, gen.Draw(t, "value")) })
}

func TestNaNKeepsItsBits(t *testing.T) {
	c := codecOf[float64](t)
	nan := math.Float64frombits(0x7ff8000000001234)
	var got float64
	if err := c.Decode(encode(t, c, nan), &got); err != nil || math.Float64bits(got) != math.Float64bits(nan) {
		t.Fatalf("got %x, %v", math.Float64bits(got), err)
	}
}

func TestTimeKeepsTheInstantOnly(t *testing.T) {
	c := codecOf[time.Time](t)
	now := time.Now().In(time.FixedZone("x", 3600))
	var got time.Time
	if err := c.Decode(encode(t, c, now), &got); err != nil || !got.Equal(now) || got.Location() != time.UTC {
		t.Fatalf("got %v of %v, %v", got, now, err)
	}
}

// Equal maps have equal bytes, so that the same state gives the same files.
func TestMapEncodingIsDeterministic(t *testing.T) {
	c := codecOf[map[int]string](t)
	a, b := map[int]string{}, map[int]string{}
	for i := range 100 {
		a[i], b[99-i] = "v", "v"
	}
	if string(encode(t, c, a)) != string(encode(t, c, b)) {
		t.Fatal("equal maps, two encodings")
	}
}

// The encoding is a format: what is pinned here lies in users' checkpoints.
func TestCodecGolden(t *testing.T) {
	type row struct {
		N    int64
		Name string
		Tags []string
		At   time.Time
		P    *float32
	}
	f := float32(1)
	c := codecOf[row](t)
	if got, want := c.Signature(), "{N int64,Name string,Tags []string,At time,P *float32}"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	got := hex.EncodeToString(encode(t, c, row{-3, "ab", []string{"x"}, time.Unix(1, 2), &f}))
	if want := "05" + "05" + "026162" + "02" + "0178" + "02" + "02" + "01" + "0000803f"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := codecOf[everything](t).Signature(), "{B bool,I int64,I8 int8,I16 int16,I32 int32,I64 int64,U uint64,U8 uint8,U16 uint16,U32 uint32,U64 uint64,F32 float32,F64 float64,S string,Raw []uint8,ID string,L int16,Fl [3]bool,Arr [2]{Price float64,Notes []string},In {Price float64,Notes []string},List []{Price float64,Notes []string},Ints []int32,M map[string]{Price float64,Notes []string},Deep map[int16][]map[bool]string,P *{Price float64,Notes []string},PP **int64,None {},Embedded {Base uint32}}"; got != want {
		t.Errorf("signature\n%s, want\n%s", got, want)
	}
}

type recursive struct{ Next *recursive }
type hidden struct {
	Shown int
	price float64
}

func TestUnsupportedTypesAreNamed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{refusal[hidden](), "hidden.price is not exported"},
		{refusal[map[string][]hidden](), "map[string][]state_test.hidden[][].price is not exported"},
		{refusal[recursive](), "contains itself"},
		{refusal[chan int](), "chan int cannot be stored"},
		{refusal[struct{ F func() }](), ".F: func() cannot be stored: use another type, leave the field out"},
		{refusal[struct{ A any }](), ".A: interface {} cannot be stored, since it may hold any type: use another type"},
		{refusal[complex128](), "complex128 cannot be stored"},
		{refusal[[][0]int](), "take no bytes"},
		{refusal[struct {
			A int `state:"B"`
			B int
		}](), `the name "B" already`},
		{refusal[struct {
			A int `state:"a b"`
		}](), "is no name"},
		{refusal[struct {
			A int `state:"a,b"`
		}](), "is no name"},
		{refusal[struct {
			time.Time
			Total int64
		}](), "embeds time.Time, whose MarshalBinary would lose the other fields: tag the embedded field (`state:\"Time\"`)"},
		{refusal[map[string]struct {
			*url.URL
			Total int64
		}](), "embeds *url.URL"},
		{refusal[embedsDeep](), "embeds state_test.embedsAddr"},
	} {
		if !errors.Is(c.err, state.ErrUnsupported) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want it to say %q", c.err, c.want)
		}
	}
}

type embedsAddr struct {
	netip.Addr `state:"addr"`
	Total      int64
}

type embedsDeep struct {
	embedsAddr
	Name string
}

// I16: a struct with a tagged embedded marshaler keeps all of its fields.
func TestTaggedEmbeddedMarshalers(t *testing.T) {
	c := codecOf[embedsAddr](t)
	if c.Signature() != "{addr binary(net/netip.Addr),Total int64}" {
		t.Errorf("signature %s", c.Signature())
	}
	want := embedsAddr{netip.MustParseAddr("10.0.0.1"), 42}
	var got embedsAddr
	if err := c.Decode(encode(t, c, want), &got); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func refusal[V any]() error {
	_, err := state.CodecOf[V]()
	return err
}

func TestTags(t *testing.T) {
	type tagged struct {
		Kept    int `state:"k"`
		Skipped int `state:"-"`
		lock    int `state:"-"`
	}
	c := codecOf[tagged](t)
	if c.Signature() != "{k int64}" {
		t.Errorf("signature %s", c.Signature())
	}
	got := tagged{9, 9, 9}
	if err := c.Decode(encode(t, c, tagged{1, 2, 3}), &got); err != nil || got != (tagged{Kept: 1}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestMarshalErrorsAreReturned(t *testing.T) {
	type withFloat struct{ F *big.Float }
	if err := refusal[withFloat](); err == nil {
		t.Fatal("big.Float has a TextMarshaler, but no BinaryMarshaler")
	}
	c := codecOf[stubborn](t)
	if _, err := c.Append(nil, stubborn{}); !errors.Is(err, errStubborn) {
		t.Errorf("got %v", err)
	}
	var v stubborn
	if err := c.Decode([]byte{1, 7}, &v); !errors.Is(err, errStubborn) || !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

type stubborn struct{ _ int }

var errStubborn = errors.New("will not")

func (stubborn) MarshalBinary() ([]byte, error)  { return nil, errStubborn }
func (*stubborn) UnmarshalBinary(b []byte) error { return errStubborn }

// deep needs more stack than a new goroutine has, in the middle of encoding.
type deep struct{ n int32 }

func (d deep) MarshalBinary() ([]byte, error) { return []byte{byte(d.n + sink(2000))}, nil }
func (d *deep) UnmarshalBinary(b []byte) error {
	d.n = int32(b[0])
	return nil
}

//go:noinline
func sink(n int) int32 {
	var room [64]byte
	room[n%64] = 1
	if n == 0 {
		return int32(room[1])
	}
	return sink(n-1) * int32(room[n%64])
}

// The value that is encoded lies on a stack, which may move meanwhile.
func TestEncodingSurvivesAMovingStack(t *testing.T) {
	type row struct {
		Before string
		Deep   [3]deep
		After  string
		M      map[string]deep
		Last   *int
	}
	c := codecOf[row](t)
	for range 50 {
		done := make(chan string)
		go func() {
			last := 5
			b, err := c.Append(nil, row{"before", [3]deep{{1}, {2}, {3}}, "after", map[string]deep{"k": {4}}, &last})
			if err != nil {
				b = []byte(err.Error())
			}
			done <- hex.EncodeToString(b)
		}()
		want := "05" + "066265666f7265" + "010101020103" + "056166746572" + "02016b0104" + "010a"
		if got := <-done; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// I12: lengths that lie do not make decoding take memory.
func TestLyingLengthsTakeNoMemory(t *testing.T) {
	type wide struct {
		A, B, C, D [16]int64
	}
	lie := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	padded := append([]byte{0x81, 0x80, 0x04}, make([]byte, 1<<16)...) // 65536 elements, whose bytes are all there
	padded[len(padded)-1] = 9                                          // but the last is bad
	for name, decode := range map[string]func() error{
		"string": func() error { return codecOf[string](t).Decode(lie, new(string)) },
		"bytes":  func() error { return codecOf[[]byte](t).Decode(lie, new([]byte)) },
		"slice":  func() error { return codecOf[[]wide](t).Decode(lie, new([]wide)) },
		"map":    func() error { return codecOf[map[int]wide](t).Decode(lie, new(map[int]wide)) },
		"nested": func() error { return codecOf[[][]wide](t).Decode(append([]byte{2}, lie...), new([][]wide)) },
		"bools":  func() error { return codecOf[[]bool](t).Decode(padded, new([]bool)) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decode()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: took %d bytes", name, n)
		}
	}
}

// I10: no bytes make a decoder panic, and what it accepts encodes again.
// The corpus in testdata was found by fuzzing this package.
func FuzzDecode(f *testing.F) {
	all := codecOf[everything](f)
	f.Add([]byte{})
	f.Add(encode(f, all, everything{}))
	f.Add(encode(f, all, everything{S: "s", Raw: []byte{1}, List: []inner{{1, []string{"n"}}}, M: map[string]inner{"k": {}}, P: &inner{}}))
	f.Add([]byte{1, 1})
	marshalers := codecOf[[]netip.Addr](f)
	f.Add(encode(f, marshalers, []netip.Addr{netip.MustParseAddr("::1")}))
	times := codecOf[map[uint16]time.Time](f)
	f.Add(encode(f, times, map[uint16]time.Time{3: time.Unix(5, 6)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, all, b)
		again(t, marshalers, b)
		again(t, times, b)
	})
}

func again[V any](t *testing.T, c state.Codec[V], b []byte) {
	var v, w V
	if err := c.Decode(b, &v); err != nil {
		if !errors.Is(err, state.ErrCorrupt) {
			t.Fatalf("decode %x: %v", b, err)
		}
		return
	}
	first := encode(t, c, v)
	if err := c.Decode(first, &w); err != nil {
		t.Fatalf("decode %x, encoded again as %x: %v", b, first, err)
	}
	if second := encode(t, c, w); string(second) != string(first) {
		t.Fatalf("%x was encoded as %x and then as %x", b, first, second)
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	type row struct {
		A  int64
		S  string
		F  [4]float64
		In struct{ B bool }
	}
	c := codecOf[row](t)
	v := row{A: 1 << 40, S: "a string"}
	buf := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { buf, _ = c.Append(buf[:0], v) }); n != 0 {
		t.Errorf("encoding a struct allocates %v times", n)
	}
	k, err := state.KeyCodecOf[struct {
		A int64
		S string
	}]()
	if err != nil {
		t.Fatal(err)
	}
	key := struct {
		A int64
		S string
	}{1, "a string"}
	var hash uint64
	if n := testing.AllocsPerRun(100, func() { buf = k.Append(buf[:0], key); hash += k.Hash(key) }); n != 0 {
		t.Errorf("encoding and hashing a key allocates %v times", n)
	}
}
