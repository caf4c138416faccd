package statetest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/state"
)

// stats is a struct as a job would store it.
type stats struct {
	Count int64
	Name  string
	Mean  float64
	Tags  []string
}

func (s stats) String() string { return fmt.Sprintf("%d %q %g %q", s.Count, s.Name, s.Mean, s.Tags) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless a Get returned want; a nil want means not found.
func is[V any](t *testing.T, what string, got V, found bool, err error, want any) {
	t.Helper()
	switch {
	case err != nil:
		t.Fatalf("%s: %v", what, err)
	case found != (want != nil):
		t.Fatalf("%s: found is %v, want %v", what, found, want)
	case found && fmt.Sprint(got) != fmt.Sprint(want):
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func testValue(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	n := state.NewValue[int64](s, "n")
	v := state.NewValue[stats](s, "stats")
	s.opened()
	a, b := key("a"), key("b")
	get := func(at *at, want any) {
		t.Helper()
		got, found, err := v.Get(at)
		is(t, "value", got, found, err, want)
	}
	get(a, nil)
	one := stats{1, "one", 0.5, []string{"x", "y"}}
	two := stats{2, "two", -1, nil}
	ok(t, v.Set(a, one))
	get(a, one)
	get(b, nil)
	ok(t, v.Set(b, two))
	ok(t, v.Set(a, two))
	ok(t, v.Set(a, one))
	get(a, one)
	get(b, two)
	got, found, err := n.Get(a)
	is(t, "other state", got, found, err, nil)
	ok(t, v.Clear(a))
	get(a, nil)
	get(b, two)
	ok(t, v.Clear(a))
	ok(t, n.Set(a, 0))
	got, found, err = n.Get(a)
	is(t, "zero", got, found, err, 0)

	// What Get returned is the caller's, whatever is read after it.
	ok(t, v.Set(a, one))
	first, _, err := v.Get(a)
	ok(t, err)
	if _, _, err := v.Get(b); err != nil || fmt.Sprint(first) != fmt.Sprint(one) {
		t.Fatalf("%v, and a value that was read became %v", err, first)
	}
	first.Tags[0] = "changed"
	get(a, one)
}

func testList(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	l := state.NewList[string](s, "list")
	s.opened()
	a, b := key("a"), key("b")
	want := func(at *at, want ...string) {
		t.Helper()
		got, err := l.Get(at)
		ok(t, err)
		if !slices.Equal(got, want) || (got == nil) != (len(want) == 0) {
			t.Fatalf("got %q, want %q", got, want)
		}
		n, err := l.Len(at)
		ok(t, err)
		if n != len(want) {
			t.Fatalf("length %d of %q", n, want)
		}
	}
	want(a)
	ok(t, l.Add(a))
	want(a)
	ok(t, l.Add(a, "1", "2"))
	ok(t, l.Add(b, "other"))
	ok(t, l.Add(a, "", "1"))
	want(a, "1", "2", "", "1")
	want(b, "other")
	ok(t, l.Set(a, []string{"x"}))
	want(a, "x")
	ok(t, l.Add(a, "y"))
	want(a, "x", "y")
	ok(t, l.Set(a, nil))
	want(a)
	ok(t, l.Add(a, "again"))
	want(a, "again")
	ok(t, l.Clear(a))
	ok(t, l.Clear(a))
	want(a)
	want(b, "other")

	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint(i))
		ok(t, l.Add(a, many[i]))
	}
	want(a, many...)
	i := 0
	for v, err := range l.All(a) {
		ok(t, err)
		if v != many[i] {
			t.Fatalf("item %d is %q", i, v)
		}
		ok(t, l.Add(a, "added")) // not seen by this loop
		if i++; i == 200 {
			break
		}
	}
	n, err := l.Len(a)
	ok(t, err)
	if i != 200 || n != 500 {
		t.Fatalf("saw %d items and then there were %d", i, n)
	}
}

func testMap(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	m := state.NewMap[int32, string](s, "map")
	s.opened()
	a, b := key("a"), key("b")
	want := func(at *at, want string) {
		t.Helper()
		got := ""
		for e, err := range m.All(at) {
			ok(t, err)
			got += fmt.Sprintf("%d=%s ", e.Key, e.Value)
		}
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	want(a, "")
	ok(t, m.Set(a, 5, "five"))
	ok(t, m.Set(a, -5, "minus five"))
	ok(t, m.Set(a, 1<<30, "great"))
	ok(t, m.Set(a, 0, "zero"))
	ok(t, m.Set(b, 5, "b's"))
	want(a, "-5=minus five 0=zero 5=five 1073741824=great ")
	want(b, "5=b's ")
	ok(t, m.Set(a, 5, "V"))
	got, found, err := m.Get(a, 5)
	is(t, "5", got, found, err, "V")
	got, found, err = m.Get(a, 6)
	is(t, "6", got, found, err, nil)
	for k, want := range map[int32]bool{5: true, 6: false} {
		if has, err := m.Has(a, k); err != nil || has != want {
			t.Fatalf("has %d: %v, %v", k, has, err)
		}
	}
	ok(t, m.Delete(a, 0))
	ok(t, m.Delete(a, 0))
	want(a, "-5=minus five 5=V 1073741824=great ")
	for e, err := range m.All(a) {
		ok(t, err)
		ok(t, m.Delete(a, e.Key))
		ok(t, m.Set(a, e.Key+1, "moved")) // not seen by this loop
	}
	want(a, "-4=moved 6=moved 1073741825=moved ")
	ok(t, m.Clear(a))
	ok(t, m.Clear(a))
	want(a, "")
	want(b, "5=b's ")
}

func testReducing(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	joined := state.NewReducing(s, "joined", func(a, b string) string { return a + "," + b })
	s.opened()
	a, b := key("a"), key("b")
	for _, v := range []string{"1", "2", "3"} {
		ok(t, joined.Add(a, v))
	}
	ok(t, joined.Add(b, "x"))
	got, found, err := joined.Get(a)
	is(t, "a", got, found, err, "1,2,3")
	ok(t, joined.Clear(a))
	got, found, err = joined.Get(a)
	is(t, "cleared", got, found, err, nil)
	ok(t, joined.Add(a, "4"))
	got, found, err = joined.Get(a)
	is(t, "a again", got, found, err, "4")
	got, found, err = joined.Get(b)
	is(t, "b", got, found, err, "x")
}

func testAggregating(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	type acc struct {
		Sum, N float64
	}
	mean := state.NewAggregating(s, "mean", state.Aggregate[int, acc, float64]{
		Add:    func(a acc, v int) acc { return acc{a.Sum + float64(v), a.N + 1} },
		Result: func(a acc) float64 { return a.Sum / a.N },
	})
	from100 := state.NewAggregating(s, "from-100", state.Aggregate[int, int, string]{
		New:    func() int { return 100 },
		Add:    func(a, v int) int { return a + v },
		Result: func(a int) string { return fmt.Sprint(a) },
	})
	s.opened()
	a := key("a")
	got, found, err := mean.Get(a)
	is(t, "nothing added", got, found, err, nil)
	for v := range 5 {
		ok(t, mean.Add(a, v))
		ok(t, from100.Add(a, v))
	}
	got, found, err = mean.Get(a)
	is(t, "mean", got, found, err, 2)
	text, found, err := from100.Get(a)
	is(t, "sum", text, found, err, "110")
	ok(t, from100.Clear(a))
	ok(t, from100.Add(a, 1))
	text, found, err = from100.Get(a)
	is(t, "sum after clear", text, found, err, "101")
}

// awkward are keys and namespaces whose plain concatenations are equal.
var awkward = []string{"", "\x00", "\x01", "\x02", "\x00\x00", "\x01\x01", "\x00\x01", "a", "a\x00", "a\x01", "a\x01\x02", "ab", "b", "\xff", "\xff\xff", "\x03abc"}

// testApart covers namespaces whose lengths are of one and of two bytes, too, each a
// prefix of the next, beside keys and map keys that spell the bytes of another's.
func testApart(t *testing.T, h Harness) {
	apart(t, h, awkward, awkward, awkward)
	spaces, keys := []string{""}, []string{"", "n"}
	for _, n := range []int{1, 44, 127, 128, 129, 255, 256, 300} {
		space := strings.Repeat("n", n)
		spaces = append(spaces, space)
		keys = append(keys, string(binary.AppendUvarint([]byte("n"), uint64(n)))+space)
	}
	apart(t, h, keys, spaces, keys)
}

func apart(t *testing.T, h Harness, keys, spaces, mapKeys []string) {
	o := newOp(t, h)
	defer o.stop()
	var v state.Value[string]
	var l state.List[string]
	var m state.Map[string, string]
	open := func(from *stored) {
		s := o.one(from)
		v = state.NewValue[string](s, "value", state.WithNamespace("string"))
		l = state.NewList[string](s, "list", state.WithNamespace("string"))
		m = state.NewMap[string, string](s, "map", state.WithNamespace("string"))
		s.opened()
	}
	open(nil)
	each := func(f func(at *at, id string)) {
		for _, k := range keys {
			for _, ns := range spaces {
				f(keyIn(k, ns), fmt.Sprintf("%q %q", k, ns))
			}
		}
	}
	check := func(at *at, id string, there bool) {
		t.Helper()
		var want any
		items := []string(nil)
		if there {
			want, items = id, []string{id, "2"}
		}
		got, found, err := v.Get(at)
		is(t, "value of "+id, got, found, err, want)
		list, err := l.Get(at)
		ok(t, err)
		if !slices.Equal(list, items) {
			t.Fatalf("list of %s is %q, want %q", id, list, items)
		}
		n := 0
		for e, err := range m.All(at) {
			ok(t, err)
			if e.Value != id+e.Key {
				t.Fatalf("map of %s holds %q: %q", id, e.Key, e.Value)
			}
			n++
		}
		if there != (n == len(mapKeys)) || !there && n > 0 {
			t.Fatalf("map of %s has %d entries", id, n)
		}
	}
	each(func(at *at, id string) {
		ok(t, v.Set(at, id))
		ok(t, l.Add(at, id, "2"))
		for _, mk := range mapKeys {
			ok(t, m.Set(at, mk, id+mk))
		}
	})
	each(func(at *at, id string) { check(at, id, true) })
	if got, want := o.visited(), slices.Sorted(slices.Values(keys)); !slices.Equal(got, want) {
		t.Fatalf("visited %q, want %q", got, want)
	}
	// They stay so where the entries come from below, and clearing one leaves all others.
	c := o.checkpoint()
	o.stop()
	open(c)
	each(func(at *at, id string) { check(at, id, true) })
	c = o.checkpoint()
	o.stop()
	open(c)
	i := 0
	each(func(at *at, id string) {
		if i++; i%2 == 0 {
			ok(t, v.Clear(at))
			ok(t, l.Clear(at))
			ok(t, m.Clear(at))
		}
	})
	i = 0
	each(func(at *at, id string) {
		i++
		check(at, id, i%2 != 0)
	})
}

// testEmptyValues: a value of no bytes is a value.
func testEmptyValues(t *testing.T, h Harness) {
	o := newOp(t, h)
	defer o.stop()
	var v state.Value[struct{}]
	var l state.List[struct{}]
	var m state.Map[string, struct{}]
	var texts state.Map[string, string]
	open := func(from *stored) {
		s := o.one(from)
		v = state.NewValue[struct{}](s, "value")
		l = state.NewList[struct{}](s, "list")
		m = state.NewMap[string, struct{}](s, "map")
		texts = state.NewMap[string, string](s, "texts")
		s.opened()
	}
	a := key("a")
	check := func() {
		t.Helper()
		_, found, err := v.Get(a)
		ok(t, err)
		list, err := l.Get(a)
		ok(t, err)
		has, err := m.Has(a, "")
		ok(t, err)
		text, there, err := texts.Get(a, "")
		ok(t, err)
		n := 0
		for _, err := range m.All(a) {
			ok(t, err)
			n++
		}
		if !found || len(list) != 2 || !has || n != 2 || !there || text != "" {
			t.Fatalf("value %v, list %v, map has it: %v, of %d, text %q: %v", found, list, has, n, text, there)
		}
	}
	open(nil)
	ok(t, v.Set(a, struct{}{}))
	ok(t, l.Add(a, struct{}{}, struct{}{}))
	ok(t, m.Set(a, "", struct{}{}))
	ok(t, m.Set(a, "x", struct{}{}))
	ok(t, texts.Set(a, "", ""))
	check()
	c := o.checkpoint()
	o.stop()
	open(c)
	check()
	if got := o.visited(); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("visited %q", got)
	}
}

func testEachKey(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	defer o.stop()
	v := state.NewValue[int](s, "value")
	l := state.NewList[int](s, "list")
	m := state.NewMap[int, int](s, "map")
	s.opened()
	if got := o.visited(); len(got) != 0 {
		t.Fatalf("keys of empty states: %q", got)
	}
	var want []string
	for i := range 200 {
		k := fmt.Sprintf("key %d", i)
		switch i % 5 {
		case 0:
			ok(t, v.Set(key(k), i))
		case 1:
			ok(t, l.Add(keyIn(k, "ns"), i, i))
		case 2:
			ok(t, m.Set(key(k), i, i))
			ok(t, v.Set(keyIn(k, "ns"), i))
			ok(t, l.Add(key(k), i))
		case 3:
			ok(t, v.Set(key(k), i))
			ok(t, v.Clear(key(k)))
			continue
		case 4:
			ok(t, m.Set(key(k), i, i))
		}
		want = append(want, k)
	}
	for _, k := range awkward {
		ok(t, v.Set(key(k), 1))
		want = append(want, k)
	}
	slices.Sort(want)
	if got := o.visited(); !slices.Equal(got, want) {
		t.Fatalf("visited %q, want %q", got, want)
	}

	// The callback reads and writes the state of its key.
	n := 0
	ok(t, s.registry.EachKey(t.Context(), func(c *state.Current) error {
		n++
		at := &at{*c}
		if err := v.Set(at, n); err != nil {
			return err
		}
		if err := l.Clear(at); err != nil {
			return err
		}
		return m.Clear(at)
	}))
	if n != len(want) {
		t.Fatalf("%d calls for %d keys", n, len(want))
	}
	// The callback changes the key: what it wrote to others is what they find.
	number, sum := state.NewValue[int64](s, "number"), state.NewReducing(s, "sum", add)
	s.opened()
	const many = 50
	for i := range many {
		k := key(fmt.Sprint("of many ", i))
		ok(t, v.Set(k, 0))
		ok(t, number.Set(k, 0))
		ok(t, sum.Add(k, 0))
		ok(t, l.Add(k, 0))
	}
	visits := 0
	ok(t, s.registry.EachKey(t.Context(), func(c *state.Current) error {
		own := &at{*c}
		if k, _, _ := keys.Decode(c.Key); !strings.HasPrefix(k, "of many ") {
			return nil
		}
		for _, a := range []state.Context{own, key(fmt.Sprint("of many ", visits))} {
			x, _, err := v.Get(a)
			ok(t, err)
			ok(t, v.Set(a, x+1))
			y, _, err := number.Get(a)
			ok(t, err)
			ok(t, number.Set(a, y+1))
			ok(t, sum.Add(a, 1))
			ok(t, l.Add(a, 1))
		}
		*c = key(fmt.Sprint("of many ", visits)).cur
		visits++
		return nil
	}))
	for i := range many { // each was written by its own visit and by another one
		k := key(fmt.Sprint("of many ", i))
		x, found, err := v.Get(k)
		is(t, "value", x, found, err, 2)
		y, found, err := number.Get(k)
		is(t, "number", y, found, err, 2)
		y, found, err = sum.Get(k)
		is(t, "sum", y, found, err, 2)
		items, err := l.Get(k)
		ok(t, err)
		if visits != many || len(items) != 3 {
			t.Fatalf("%d visits, list %v", visits, items)
		}
	}
	stop := fmt.Errorf("stop")
	n = 0
	if err := s.registry.EachKey(t.Context(), func(*state.Current) error { n++; return stop }); err != stop || n != 1 {
		t.Fatalf("got %v after %d calls", err, n)
	}
}
