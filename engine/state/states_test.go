package state_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

const groups = 128

// subtask is an OpenContext over state in memory.
type subtask struct{ registry *state.Registry }

func (s subtask) Registry() *state.Registry { return s.registry }

func newSubtask(t testing.TB, keySignature string) subtask {
	t.Helper()
	b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", KeyGroups: keygroup.Range{Start: 0, End: groups}})
	if err != nil {
		t.Fatal(err)
	}
	r := state.NewRegistry(b, keySignature, nil)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return subtask{r}
}

// at is a Context.
type at struct{ cur state.Current }

func (a *at) Current() *state.Current { return &a.cur }

func atKey(k int64) *at {
	c := must(state.KeyCodecOf[int64]())
	h := c.Hash(k)
	return &at{state.Current{Hash: h, Group: keygroup.Of(h, groups), Key: c.Append(nil, k)}}
}

func TestRegistryReportsEveryMistake(t *testing.T) {
	s := newSubtask(t, "int64")
	v := state.NewValue[int](s, "twice")
	state.NewList[int](s, "twice")
	state.NewValue[int](s, "Bad Name")
	h := state.NewMap[string, hidden](s, "hidden")
	f := state.NewMap[float64, int](s, "floats")
	state.NewValue[int](s, "wrong-codec", state.WithCodec[string](stringCodec{}))
	o := state.NewOperatorList[chan int](s, "chans", checkpoint.Split)
	state.NewOperatorList[int](s, "twice", checkpoint.Split)
	state.NewOperatorList[int](s, "mortal", checkpoint.Split, state.TTL(time.Hour))
	state.NewMap[int, int](s, "no-time", state.TTL(0))
	state.NewList[int](s, "too-short", state.TTL(time.Millisecond-1, state.RefreshOnRead))
	state.NewReducing(s, "negative", func(a, _ int) int { return a }, state.TTL(-time.Hour))
	err := s.registry.Err()
	for _, want := range []string{`state "twice": the operator has a state of this name`, `"Bad Name": bad name`, `"hidden": unsupported type`, "hidden.price is not exported", `"floats": unsupported type`, `"wrong-codec": unsupported type: WithCodec was given`, `operator state "chans"`,
		`operator state "mortal": a TTL of 1h0m0s: only what belongs to a key`, `state "no-time": a TTL of 0s: it must be 1ms or more`, `state "too-short": a TTL of 999.999µs`, `state "negative": a TTL of -1h0m0s`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in: %v", want, err)
		}
	}
	// A state that could not be opened gives its error, and does not panic.
	k := atKey(1)
	if err := h.Set(k, "x", hidden{}); !errors.Is(err, state.ErrUnsupported) {
		t.Errorf("set: %v", err)
	}
	if _, _, err := f.Get(k, 1); !errors.Is(err, state.ErrUnsupported) {
		t.Errorf("get: %v", err)
	}
	if _, err := o.Get(); !errors.Is(err, state.ErrUnsupported) {
		t.Errorf("get: %v", err)
	}
	if err := errors.Join(o.Add(nil), o.Set(nil)); !errors.Is(err, state.ErrUnsupported) {
		t.Errorf("add: %v", err)
	}
	if err := v.Set(k, 1); err != nil {
		t.Errorf("the first of two states of a name: %v", err)
	}
}

func TestRegistryWithoutKeys(t *testing.T) {
	r := state.NewRegistry(nil, "", nil)
	s := subtask{r}
	l := state.NewOperatorList[int](s, "l", checkpoint.Split)
	if err := errors.Join(r.Err(), l.Add(1, 2)); err != nil {
		t.Fatal(err)
	}
	p, err := r.Snapshot(t.Context(), checkpoint.Barrier{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := p.Persist(t.Context()); h != nil || err != nil {
		t.Errorf("persisted %v, %v", h, err)
	}
	r.Committed(1)
	r.Aborted(2)
	if err := r.EachKey(t.Context(), func(*state.Current) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
	state.NewValue[int](s, "v")
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), `state "v": the operator has no key`) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

type stringCodec struct{}

func (stringCodec) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (stringCodec) Decode(src []byte, v *string) error          { *v = "<" + string(src) + ">"; return nil }
func (stringCodec) Signature() string                           { return "angled v1" }

func TestWithCodec(t *testing.T) {
	s := newSubtask(t, "int64")
	v := state.NewValue[string](s, "v", state.WithCodec[string](stringCodec{}))
	if err := errors.Join(s.registry.Err(), v.Set(atKey(1), "x")); err != nil {
		t.Fatal(err)
	}
	if got, found, err := v.Get(atKey(1)); got != "<x>" || !found || err != nil {
		t.Errorf("got %q, %v, %v", got, found, err)
	}
	if err := state.Compatible("angled v1", "angled v2"); !errors.Is(err, state.ErrIncompatible) {
		t.Errorf("got %v", err)
	}
}

// I10: a stored value with a header that is not known is not guessed at.
func TestUnknownHeaderIsRefused(t *testing.T) {
	k := atKey(7)
	entry := append(append(keygroup.AppendPrefix(nil, k.cur.Group), k.cur.Key...), 0)
	item := func(i byte) []byte { return append(slices.Clone(entry), 0, 0, 0, 0, 0, 0, 0, i) }
	// over returns a subtask above stored entries of a state.
	over := func(name string, kind state.Kind, entries map[string]string) subtask {
		t.Helper()
		b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{KeyGroups: keygroup.Range{Start: 0, End: groups}})
		if err != nil {
			t.Fatal(err)
		}
		c := column(t, b, name, kind)
		for k, v := range entries {
			if err := c.Put([]byte(k), []byte(v)); err != nil {
				t.Fatal(err)
			}
		}
		return subtask{state.NewRegistry(b, "int64", nil)}
	}
	value := func(stored string) (int64, bool, error) {
		s := over("v", state.KindValue, map[string]string{string(entry): stored})
		v := state.NewValue[int64](s, "v")
		if err := s.registry.Err(); err != nil {
			t.Fatal(err)
		}
		return v.Get(k)
	}
	if v, found, err := value("\x10\x0a"); v != 5 || !found || err != nil {
		t.Fatalf("got %d, %v, %v", v, found, err)
	}
	for _, bad := range []string{"", "\x10", "\x11\x0a", "\x12\x0a", "\x20\x0a", "\x10\x0a\x00", "\x11\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		if _, _, err := value(bad); !errors.Is(err, state.ErrCorrupt) || !strings.Contains(err.Error(), `"v"`) {
			t.Errorf("stored %x: got %v", bad, err)
		}
	}
	// A list that lost an item says so.
	list := map[string]string{string(entry): "\x10\x03", string(item(0)): "\x10\x02", string(item(1)): "\x10\x04", string(item(2)): "\x10\x06"}
	items := func(without byte) ([]int64, error) {
		stored := maps.Clone(list)
		delete(stored, string(item(without)))
		s := over("l", state.KindList, stored)
		l := state.NewList[int64](s, "l")
		if err := s.registry.Err(); err != nil {
			t.Fatal(err)
		}
		return l.Get(k)
	}
	if all, err := items(3); !slices.Equal(all, []int64{1, 2, 3}) || err != nil {
		t.Fatalf("the whole list is %v, %v", all, err)
	}
	for i := range byte(3) {
		if _, err := items(i); !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("list without item %d: %v", i, err)
		}
	}
}

// brittle cannot be encoded if it is negative.
type brittle int64

func (b brittle) MarshalBinary() ([]byte, error) {
	if b < 0 {
		return nil, errStubborn
	}
	return []byte{byte(b)}, nil
}

func (b *brittle) UnmarshalBinary(src []byte) error {
	*b = brittle(src[0])
	return nil
}

// I16: a call that fails changes nothing, and what a failed write left is not read.
func TestFailedCallsOfAListLeaveItAsItWas(t *testing.T) {
	s := newSubtask(t, "int64")
	for name, opts := range map[string][]state.Option{"l": nil, "mortal": {state.TTL(time.Hour)}} {
		l := state.NewList[brittle](s, name, opts...)
		k := atKey(1)
		want := func(want ...brittle) {
			t.Helper()
			got, err := l.Get(k)
			n, lenErr := l.Len(k)
			if !slices.Equal(got, want) || n != len(want) || err != nil || lenErr != nil {
				t.Fatalf("%s: got %v of %d, %v, %v, want %v", name, got, n, err, lenErr, want)
			}
		}
		fails := func(err error) {
			t.Helper()
			if !errors.Is(err, errStubborn) {
				t.Fatalf("%s: got %v", name, err)
			}
		}
		fails(l.Add(k, 1, -1))
		want()
		if err := l.Add(k, 1, 2); err != nil {
			t.Fatal(err)
		}
		fails(l.Add(k, 3, 4, -1))
		want(1, 2)
		fails(l.Set(k, []brittle{5, -1}))
		want(1, 2)
		if err := l.Set(k, []brittle{7}); err != nil {
			t.Fatal(err)
		}
		want(7)
	}
}

// failing is a backend whose columns fail writes after some.
type failing struct {
	state.Backend
	left *int
}

func (f failing) Column(d state.Descriptor) (state.Column, error) {
	c, err := f.Backend.Column(d)
	return failingColumn{c, f.left}, err
}

type failingColumn struct {
	state.Column
	left *int
}

func (c failingColumn) spend() error {
	if *c.left--; *c.left < 0 {
		return errStubborn
	}
	return nil
}

func (c failingColumn) Put(key, value []byte) error {
	if err := c.spend(); err != nil {
		return err
	}
	return c.Column.Put(key, value)
}

func (c failingColumn) Delete(key []byte) error {
	if err := c.spend(); err != nil {
		return err
	}
	return c.Column.Delete(key)
}

// I16: whichever of its writes fails, a list is as before the call or after it, or
// empty after Clear and Set.
func TestAListSurvivesWritesThatFail(t *testing.T) {
	for writes := range 6 {
		for name, call := range map[string]func(state.List[int64], state.Context) error{
			"add":   func(l state.List[int64], c state.Context) error { return l.Add(c, 3, 4, 5) },
			"clear": func(l state.List[int64], c state.Context) error { return l.Clear(c) },
			"set":   func(l state.List[int64], c state.Context) error { return l.Set(c, []int64{6}) },
		} {
			b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", KeyGroups: keygroup.Range{Start: 0, End: groups}})
			if err != nil {
				t.Fatal(err)
			}
			left := math.MaxInt
			s := subtask{state.NewRegistry(failing{b, &left}, "int64", nil)}
			l := state.NewList[int64](s, "l")
			k := atKey(1)
			if err := l.Add(k, 1, 2); err != nil {
				t.Fatal(err)
			}
			left = writes
			callErr := call(l, k)
			left = math.MaxInt
			got, err := l.Get(k)
			after := map[string][]int64{"add": {1, 2, 3, 4, 5}, "clear": nil, "set": {6}}[name]
			before := callErr != nil && slices.Equal(got, []int64{1, 2})
			empty := callErr != nil && name != "add" && len(got) == 0
			if done := callErr == nil && slices.Equal(got, after); err != nil || !done && !before && !empty {
				t.Errorf("%s with %d writes: %v, then %v, %v", name, writes, callErr, got, err)
			}
			if err := l.Add(k, 9); err != nil {
				t.Fatal(err)
			}
			if again, err := l.Get(k); err != nil || !slices.Equal(again, append(got, 9)) {
				t.Errorf("%s with %d writes, and one more item: %v, %v", name, writes, again, err)
			}
			if err := s.registry.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func column(t *testing.T, b state.Backend, name string, kind state.Kind) state.Column {
	t.Helper()
	c, err := b.Column(state.Descriptor{Name: name, Kind: kind, Key: "int64", Value: "int64"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The path of a record allocates nothing of its own.
func TestAccessDoesNotAllocate(t *testing.T) {
	type stats struct {
		N   int64
		Sum float64
	}
	s := newSubtask(t, "int64")
	v := state.NewValue[stats](s, "v")
	m := state.NewMap[int32, int64](s, "m")
	r := state.NewReducing(s, "r", func(a, b int64) int64 { return a + b })
	l := state.NewList[int64](s, "l")
	mortal := state.NewValue[stats](s, "mortal", state.TTL(time.Hour))
	touched := state.NewMap[int32, string](s, "touched", state.TTL(time.Hour, state.RefreshOnRead))
	k := atKey(1)
	var c state.Context = k
	if err := errors.Join(s.registry.Err(), v.Set(c, stats{1, 2}), m.Set(c, 1, 1), r.Add(c, 1), l.Add(c, 1), mortal.Set(c, stats{1, 2}), touched.Set(c, 1, "")); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		allocs float64
		access func()
	}{
		"get":        {0, func() { _, _, _ = v.Get(c) }},
		"update":     {0, func() { _ = v.Update(c, func(s stats, _ bool) (stats, error) { s.N++; return s, nil }) }},
		"map get":    {0, func() { _, _, _ = m.Get(c, 1) }},
		"map miss":   {0, func() { _, _, _ = m.Get(c, 2) }},
		"reduce get": {0, func() { _, _, _ = r.Get(c) }},
		"length":     {0, func() { _, _ = l.Len(c) }},
		"set":        {0, func() { _ = v.Set(c, stats{3, 4}) }},
		"map set":    {0, func() { _ = m.Set(c, 1, 5) }},
		"reduce add": {0, func() { _ = r.Add(c, 5) }},
		"mortal get": {0, func() { _, _, _ = mortal.Get(c) }},
		"mortal set": {0, func() { _ = mortal.Set(c, stats{3, 4}) }},
		"touch":      {0, func() { _, _, _ = touched.Get(c, 1) }},
	} {
		if n := testing.AllocsPerRun(100, f.access); n > f.allocs {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// GetOr gives the default only where there is no value, and what a failing Update
// was to change stays as it was, for values kept as cells and encoded ones alike.
func TestGetOrAndUpdate(t *testing.T) {
	s := newSubtask(t, "int64")
	number, text := state.NewValue[int64](s, "number"), state.NewValue[string](s, "text")
	broken := errors.New("broken")
	for k, key := range []string{"a", "b"} {
		c := atKey(int64(k))
		if n, err := number.GetOr(c, 7); n != 7 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		for range 3 {
			if err := number.Update(c, func(n int64, found bool) (int64, error) { return n + 1, nil }); err != nil {
				t.Fatal(err)
			}
			if err := text.Update(c, func(v string, found bool) (string, error) { return v + key, nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := number.Update(c, func(n int64, found bool) (int64, error) { return 99, broken }); err != broken {
			t.Errorf("%v, want %v itself", err, broken)
		}
		if err := text.Update(c, func(v string, found bool) (string, error) { return "", broken }); err != broken {
			t.Errorf("%v, want %v itself", err, broken)
		}
		n, err := number.GetOr(c, 7)
		v, err2 := text.GetOr(c, "none")
		if n != 3 || v != key+key+key || err != nil || err2 != nil {
			t.Errorf("%s: %d and %q, %v, %v", key, n, v, err, err2)
		}
	}
}
