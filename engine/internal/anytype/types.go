package anytype

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type ( // named types, and structs of each shape
	Celsius float64
	Int     int32
	Word    string
	Shorts  []uint16
	Plain   struct {
		A int
		B string `json:"b,omitempty"`
	}
	Cell struct {
		A int8
		B uint64
		C bool
		D [3]int16
		E float32
	}
	Generic[T any] struct {
		Inner T
		Note  string
	}
	Pair[A, B any] struct {
		First  A
		Second *B
	}
	Tree struct {
		N    int
		Left *Tree
		More map[string]Tree
	}
	Quoted struct {
		S string `json:",string"`
		N int    `json:"n,string"`
	}
)

type ( // structs that embed others, or leave fields out
	Embeds struct {
		Plain
		C int
	}
	EmbedsPointer struct {
		*Plain
		C int
	}
	embedded     struct{ X, Y int }
	EmbedsHidden struct {
		embedded
		C int
	}
	Shadows struct {
		Plain
		A int
	}
	Left  struct{ Same int }
	Right struct{ Same int }
	Twice struct {
		Left
		Right
	}
	Hidden struct {
		A int
		b int //nolint:unused // it is what the type is for
	}
	LeftOut struct {
		A int
		B int `state:"-" json:"-" csv:"-" parquet:"-"`
	}
)

type ( // structs that embed a type with methods of its own for text, JSON and bytes
	Stamped struct {
		time.Time
		N int
	}
	StampedTag struct {
		time.Time `json:"t" state:"t" csv:"t" parquet:"t"`
		N         int
	}
	StampedPointer struct {
		*time.Time
		N int
	}
	DeepStamped struct {
		Stamped
		M int
	}
)

type ( // types with methods of their own; those but Color, Number and Angled know how all of their fields are written
	OwnJSON struct {
		time.Time
		N int
	}
	OwnJSONPointer struct {
		time.Time
		N int
	}
	Packed struct{ a, b uint16 }
	Color  int
	Number struct{ N int }
	Angled string
)

// MarshalJSON implements json.Marshaler.
func (o OwnJSON) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]int64{o.UnixNano(), int64(o.N)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *OwnJSON) UnmarshalJSON(b []byte) (err error) {
	o.Time, o.N, err = unstamp(b)
	return err
}

// MarshalJSON implements json.Marshaler.
func (o *OwnJSONPointer) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]int64{o.UnixNano(), int64(o.N)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *OwnJSONPointer) UnmarshalJSON(b []byte) (err error) {
	o.Time, o.N, err = unstamp(b)
	return err
}

func unstamp(b []byte) (time.Time, int, error) {
	var v [2]int64
	err := json.Unmarshal(b, &v)
	return time.Unix(0, v[0]).UTC(), int(v[1]), err
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (p Packed) MarshalBinary() ([]byte, error) {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.a), p.b), nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (p *Packed) UnmarshalBinary(b []byte) error {
	if len(b) != 4 {
		return errors.New("not 4 bytes")
	}
	p.a, p.b = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (c Color) MarshalText() ([]byte, error) {
	return strconv.AppendInt([]byte("c"), int64(c), 10), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Color) UnmarshalText(b []byte) error {
	n, err := strconv.Atoi(strings.TrimPrefix(string(b), "c"))
	*c = Color(n)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (n *Number) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(n.N)^1, 10), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Number) UnmarshalText(b []byte) error {
	x, err := strconv.Atoi(string(b))
	n.N = x ^ 1
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (a Angled) MarshalText() ([]byte, error) { return []byte("<" + a + ">"), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Angled) UnmarshalText(b []byte) error { *a = Angled(b[1 : len(b)-1]); return nil }

// simple are types that most formats take; odd are those of which many do not.
var (
	simple = []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[[2]byte](),
		reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
		reflect.TypeFor[Celsius](), reflect.TypeFor[Int](), reflect.TypeFor[Word](), reflect.TypeFor[Shorts](), reflect.TypeFor[Plain](), reflect.TypeFor[Cell](),
		reflect.TypeFor[Embeds](), reflect.TypeFor[Generic[string]](), reflect.TypeFor[Pair[Word, Plain]](),
	}
	odd = []reflect.Type{
		reflect.TypeFor[netip.Addr](), reflect.TypeFor[Tree](), reflect.TypeFor[Quoted](), reflect.TypeFor[Generic[*time.Time]](), reflect.TypeFor[Pair[any, int]](),
		reflect.TypeFor[EmbedsPointer](), reflect.TypeFor[EmbedsHidden](), reflect.TypeFor[Shadows](), reflect.TypeFor[Twice](), reflect.TypeFor[Hidden](), reflect.TypeFor[LeftOut](),
		reflect.TypeFor[Stamped](), reflect.TypeFor[StampedTag](), reflect.TypeFor[StampedPointer](), reflect.TypeFor[DeepStamped](),
		reflect.TypeFor[OwnJSON](), reflect.TypeFor[OwnJSONPointer](), reflect.TypeFor[Packed](), reflect.TypeFor[Color](), reflect.TypeFor[Number](), reflect.TypeFor[Angled](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[[0]int](), reflect.TypeFor[any](), reflect.TypeFor[func()](), reflect.TypeFor[chan int](), reflect.TypeFor[complex64](), reflect.TypeFor[uintptr](),
	}
)
