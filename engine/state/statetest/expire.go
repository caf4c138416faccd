package statetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/state"
)

// second is the TTL of every state here.
const second = time.Second

// perishable are states of every kind. Each key has one entry or item in each, and
// all of them expire.
type perishable struct {
	t     *testing.T
	value state.Value[string]
	cell  state.Value[int64]
	sum   state.Reducing[int64]
	mean  state.Aggregating[int64, [2]int64, int64]
	list  state.List[int64]
	table state.Map[string, int64]
}

func openPerishable(s *subtask, opts ...state.Option) perishable {
	s.t.Helper()
	p := perishable{
		s.t,
		state.NewValue[string](s, "value", opts...),
		state.NewValue[int64](s, "cell", opts...),
		state.NewReducing(s, "sum", add, opts...),
		state.NewAggregating(s, "mean", mean, opts...),
		state.NewList[int64](s, "list", opts...),
		state.NewMap[string, int64](s, "table", opts...),
	}
	s.opened()
	return p
}

// write adds n to every state of a key; the map's entry is k.
func (p perishable) write(at *at, k string, n int64) {
	p.t.Helper()
	ok(p.t, p.value.Set(at, fmt.Sprint(n)))
	ok(p.t, p.cell.Set(at, n))
	ok(p.t, p.sum.Add(at, n))
	ok(p.t, p.mean.Add(at, n))
	ok(p.t, p.list.Add(at, n))
	ok(p.t, p.table.Set(at, k, n))
}

// shows renders what the states of a key hold; empty: nothing.
func (p perishable) shows(at *at) string {
	p.t.Helper()
	var all []string
	add := func(what string, v any, found bool, err error) {
		p.t.Helper()
		ok(p.t, err)
		if found {
			all = append(all, fmt.Sprintf("%s=%v", what, v))
		}
	}
	value, found, err := p.value.Get(at)
	add("value", value, found, err)
	cell, found, err := p.cell.Get(at)
	add("cell", cell, found, err)
	sum, found, err := p.sum.Get(at)
	add("sum", sum, found, err)
	mean, found, err := p.mean.Get(at)
	add("mean", mean, found, err)
	n, err := p.list.Len(at)
	ok(p.t, err)
	list, err := p.list.Get(at)
	add("list", list, list != nil, err)
	if n != len(list) {
		p.t.Fatalf("list %v has the length %d", list, n)
	}
	for e, err := range p.table.All(at) {
		add("table["+e.Key+"]", e.Value, true, err)
		one, found, err := p.table.Get(at, e.Key)
		is(p.t, "entry", one, found, err, e.Value)
	}
	return fmt.Sprint(all)
}

func (p perishable) want(at *at, want string) {
	p.t.Helper()
	if got := p.shows(at); got != want {
		p.t.Fatalf("got %s, want %s", got, want)
	}
}

const nothing = "[]"

func testExpiryAfterWrites(t *testing.T, h Harness) {
	o := newOp(t, h)
	p := openPerishable(o.one(nil), state.TTL(second))
	a, b := key("a"), keyIn("b", "ns")
	p.write(a, "x", 1)
	o.clock.Advance(second / 2)
	p.write(b, "x", 2)
	o.clock.Advance(second/2 - time.Millisecond)
	p.want(a, "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
	if got := o.visited(); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("visited %q", got)
	}
	c := o.checkpoint()
	o.clock.Advance(time.Millisecond) // to have been read did not help a
	p.want(a, nothing)
	p.want(b, "[value=2 cell=2 sum=2 mean=2 list=[2] table[x]=2]")
	if got := o.visited(); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("visited %q", got)
	}
	// Entries and items expire one by one; what is written anew begins anew.
	p.write(b, "y", 3)
	p.write(a, "x", 5)
	o.clock.Advance(second / 2)
	p.want(b, "[value=3 cell=3 sum=5 mean=2 list=[3] table[y]=3]")
	p.want(a, "[value=5 cell=5 sum=5 mean=5 list=[5] table[x]=5]")
	later := o.checkpoint()
	o.clock.Advance(second)
	p.want(a, nothing)
	p.want(b, nothing)
	o.stop()
	for _, from := range []*stored{c, later} {
		p = openPerishable(o.one(from), state.TTL(second))
		p.want(a, nothing)
		p.want(b, nothing)
		if got := o.visited(); len(got) > 0 {
			t.Fatalf("visited %q", got)
		}
		p.write(a, "z", 7)
		p.want(a, "[value=7 cell=7 sum=7 mean=7 list=[7] table[z]=7]")
		o.checkpoint()
		o.stop()
	}
}

func testExpiryAfterReads(t *testing.T, h Harness) {
	o := newOp(t, h)
	p := openPerishable(o.one(nil), state.TTL(second, state.RefreshOnRead))
	a, b := key("a"), keyIn("b", "ns")
	p.write(a, "x", 1)
	p.write(b, "x", 1)
	p.write(b, "y", 2)
	for range 3 {
		o.clock.Advance(second - time.Millisecond)
		p.want(a, "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
		has, err := p.table.Has(b, "y")
		ok(t, err)
		n, err := p.list.Len(b) // which is no reading
		ok(t, err)
		if !has || n != 2 && n != 0 {
			t.Fatalf("the map has y: %v, the list is of length %d", has, n)
		}
	}
	p.want(b, "[table[y]=2]")
	c := o.checkpoint()
	o.clock.Advance(second / 2)
	o.stop()
	p = openPerishable(o.one(c), state.TTL(second, state.RefreshOnRead))
	p.want(a, "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
	o.clock.Advance(second / 2)
	p.want(a, "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
	// A loop that writes what it has yet to read is not overruled by reading.
	for e, err := range p.table.All(a) {
		ok(t, err)
		ok(t, p.table.Delete(a, e.Key))
	}
	ok(t, p.list.Add(a, 2, 3))
	for _, err := range p.list.All(a) {
		ok(t, err)
		ok(t, p.list.Clear(a))
	}
	p.want(a, "[value=1 cell=1 sum=1 mean=1]")
	o.clock.Advance(second)
	p.want(a, nothing)
	o.stop()
}

// A scan that refreshes what it reads leaves alone what was written since it began.
func testScanSparesWhatIsNewer(t *testing.T, h Harness) {
	o := newOp(t, h)
	p := openPerishable(o.one(nil), state.TTL(second, state.RefreshOnRead))
	a := key("a")
	ok(t, p.table.Set(a, "x", 1))
	ok(t, p.table.Set(a, "y", 1))
	o.checkpoint()
	o.clock.Advance(second / 4)
	for e, err := range p.table.All(a) {
		ok(t, err)
		if e.Key == "x" {
			o.clock.Advance(second / 2)
			ok(t, p.table.Set(a, "y", 2))
		}
	}
	o.clock.Advance(3 * second / 4) // what the scan refreshed is past, what was written is not
	p.want(a, "[table[y]=2]")
	o.clock.Advance(second)
	ok(t, p.list.Add(a, 1, 2))
	o.checkpoint()
	o.clock.Advance(second / 4)
	for v, err := range p.list.All(a) {
		ok(t, err)
		if v == 1 {
			o.clock.Advance(second / 2)
			ok(t, p.list.Set(a, []int64{3, 4}))
		}
	}
	o.clock.Advance(3 * second / 4)
	p.want(a, "[list=[3 4]]")
	o.stop()
}

// An expiry is honoured whatever a state's options are when it is read.
func testExpiryStaysWithTheValue(t *testing.T, h Harness) {
	o := newOp(t, h)
	const forever, brief = "forever", "brief"
	p := openPerishable(o.one(nil))
	p.write(key(forever), "x", 1)
	c := o.checkpoint()
	o.stop()
	p = openPerishable(o.one(c), state.TTL(second, state.RefreshOnRead))
	p.want(key(forever), "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
	p.write(key(brief), "x", 2)
	ok(t, p.list.Add(key(forever), 2))
	ok(t, p.table.Set(key(forever), "y", 2))
	c = o.checkpoint()
	o.stop()
	p = openPerishable(o.one(c))
	p.want(key(forever), "[value=1 cell=1 sum=1 mean=1 list=[1 2] table[x]=1 table[y]=2]")
	p.want(key(brief), "[value=2 cell=2 sum=2 mean=2 list=[2] table[x]=2]")
	ok(t, p.list.Add(key(brief), 3))
	o.clock.Advance(second)
	p.want(key(forever), "[value=1 cell=1 sum=1 mean=1 list=[1] table[x]=1]")
	p.want(key(brief), "[list=[3]]")
	p.write(key(brief), "y", 4)
	c = o.checkpoint()
	o.stop()
	o.clock.Advance(time.Hour)
	p = openPerishable(o.one(c), state.TTL(time.Hour))
	p.want(key(brief), "[value=4 cell=4 sum=4 mean=4 list=[3 4] table[y]=4]")
	ok(t, p.value.Set(key(brief), "5"))
	o.clock.Advance(time.Hour)
	p.want(key(brief), "[cell=4 sum=4 mean=4 list=[3 4] table[y]=4]")
	o.stop()
}

// The items of an expired list do not appear in the next list of the key, even if
// the TTL was longer before.
func testExpiryOfLists(t *testing.T, h Harness) {
	o := newOp(t, h)
	a := key("a")
	want := func(l state.List[int64], want ...int64) {
		t.Helper()
		got, err := l.Get(a)
		ok(t, err)
		n, err := l.Len(a)
		ok(t, err)
		if !slices.Equal(got, want) || n != len(want) {
			t.Fatalf("got %v, length %d; want %v", got, n, want)
		}
	}
	s := o.one(nil)
	l := state.NewList[int64](s, "list", state.TTL(second))
	s.opened()
	ok(t, l.Add(a, 1, 2, 3, 4, 5))
	o.clock.Advance(second)
	want(l)
	ok(t, l.Add(a, 6))
	want(l, 6)
	c := o.checkpoint()
	o.stop()
	o.clock.Advance(-second / 2) // the next machine's may be behind
	s = o.one(c)
	l = state.NewList[int64](s, "list")
	s.opened()
	want(l, 6)
	o.clock.Advance(2 * second)
	ok(t, l.Add(a, 7))
	want(l, 7)
	ok(t, l.Add(a, 8))
	want(l, 7, 8)
	c = o.checkpoint()
	o.stop()

	s = o.one(c)
	l = state.NewList[int64](s, "list", state.TTL(10*second))
	s.opened()
	ok(t, l.Set(a, []int64{1, 2}))
	c = o.checkpoint()
	o.stop()
	s = o.one(c)
	l = state.NewList[int64](s, "list", state.TTL(second))
	s.opened()
	ok(t, l.Add(a, 3, 4))
	o.clock.Advance(second)
	want(l, 1, 2)
	ok(t, l.Add(a, 5))
	want(l, 1, 2, 5)
	if got := o.visited(); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("visited %q", got)
	}
	o.clock.Advance(9 * second)
	want(l)
	if got := o.visited(); len(got) > 0 {
		t.Fatalf("visited %q", got)
	}
	o.stop()
}

// An expired value does not come back when the clock goes back.
func testExpiryIsFinal(t *testing.T, h Harness) {
	o := newOp(t, h)
	p := openPerishable(o.one(nil), state.TTL(second))
	a := key("a")
	p.write(a, "x", 1)
	o.clock.Advance(second)
	p.want(a, nothing)
	o.clock.Advance(-second)
	p.want(a, nothing)
	p.write(a, "x", 2)
	o.clock.Advance(second)
	p.want(a, "[value=2 cell=2 sum=2 mean=2 list=[2] table[x]=2]")
	o.clock.Advance(second)
	p.want(a, nothing)
	o.stop()
}
