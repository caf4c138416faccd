package statetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/state"
)

// place is the subtask, key and namespace of a random operation.
type place struct {
	at  *at
	id  string // in the model
	s   modelled
	now int64
}

func (x *random) place(k, ns string) place {
	at := keyIn(k, ns)
	return place{at, k + "|" + ns, x.states[slices.Index(x.o.subtasks, x.o.owner(at))], x.now()}
}

// expect announces keys to a subtask's states; they may or may not come next.
func (x *random) expect(subtask int) {
	s, coming := x.o.subtasks[subtask], x.states[subtask].coming
	coming.Reset()
	for range x.r.IntN(randomKeys) {
		if c := key(fmt.Sprint("k", x.r.IntN(randomKeys))).cur; s.groups.Contains(c.Group) {
			coming.Add(c.Hash, c.Group, func(dst []byte) []byte { return append(dst, c.Key...) })
		}
	}
	if s.registry.Expects() {
		x.note("expect")
		x.check(s.registry.Expect(coming))
	}
}

// access writes or reads the states of one key.
func (x *random) access() {
	k, ns := fmt.Sprint("k", x.r.IntN(randomKeys)), randomNamespaces[x.r.IntN(len(randomNamespaces))]
	p, v, kind := x.place(k, ns), x.r.Int64N(1000)-500, x.r.IntN(100)
	x.note("%d on %q, %d", kind, p.id, v)
	switch {
	case kind < 45:
		x.accessValue(p, kind, v)
	case kind < 60:
		x.accessList(p, kind, v)
	case kind < 80:
		x.accessTable(p, kind, v)
	default:
		x.compare(k, ns)
	}
}

// accessValue writes the states that hold one value for each key.
func (x *random) accessValue(p place, kind int, v int64) {
	m := x.model
	switch {
	case kind < 12:
		w := stats{Count: v, Name: strings.Repeat(p.id, x.r.IntN(300)), Mean: float64(v) / 2, Tags: slices.Repeat([]string{p.id}, x.r.IntN(3))}
		old, there := m.value.get(p.id, p.now, x.ttls.value)
		m.value.set(p.id, w, p.now, x.ttls.value)
		if kind < 6 {
			x.check(p.s.value.Set(p.at, w))
			return
		}
		x.check(p.s.value.Update(p.at, func(v stats, found bool) (stats, error) {
			return w, differs("value", v, found, old, there)
		}))
	case kind < 14:
		delete(m.value, p.id)
		x.check(p.s.value.Clear(p.at))
	case kind < 22:
		old, there := m.number.get(p.id, p.now, x.ttls.number)
		if kind < 18 {
			m.number.set(p.id, v, p.now, x.ttls.number)
			x.check(p.s.number.Set(p.at, v))
			return
		}
		m.number.set(p.id, old+v, p.now, x.ttls.number)
		x.check(p.s.number.Update(p.at, func(is int64, found bool) (int64, error) {
			return is + v, differs("number", is, found, old, there)
		}))
	case kind < 24:
		delete(m.number, p.id)
		x.check(p.s.number.Clear(p.at))
	case kind < 30:
		old, _ := m.sum.get(p.id, p.now, x.ttls.sum)
		m.sum.set(p.id, old+v, p.now, x.ttls.sum)
		x.check(p.s.sum.Add(p.at, v))
	case kind < 31:
		delete(m.sum, p.id)
		x.check(p.s.sum.Clear(p.at))
	case kind < 36:
		added := fmt.Sprint(v)
		all := added
		if old, there := m.joined.get(p.id, p.now, x.ttls.joined); there {
			all = join(old, added)
		}
		m.joined.set(p.id, all, p.now, x.ttls.joined)
		x.check(p.s.joined.Add(p.at, added))
	case kind < 37:
		delete(m.joined, p.id)
		x.check(p.s.joined.Clear(p.at))
	case kind < 44:
		acc, _ := m.mean.get(p.id, p.now, x.ttls.mean)
		m.mean.set(p.id, [2]int64{acc[0] + v, acc[1] + 1}, p.now, x.ttls.mean)
		x.check(p.s.mean.Add(p.at, v))
	default:
		delete(m.mean, p.id)
		x.check(p.s.mean.Clear(p.at))
	}
}

// differs returns an error if what a state gave is not what the model has.
func differs(state string, got any, found bool, want any, there bool) error {
	if found != there || found && !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%s is %v, %v; want %v, %v", state, got, found, want, there)
	}
	return nil
}

func (x *random) accessList(p place, kind int, v int64) {
	m := x.model
	switch {
	case kind < 54:
		items := slices.Repeat([]int64{v}, x.r.IntN(3))
		for _, v := range items {
			m.list[p.id] = append(m.list[p.id], mortal[int64]{v, x.ttls.list.expiry(p.now)})
		}
		x.check(p.s.list.Add(p.at, items...))
	case kind < 56:
		delete(m.list, p.id)
		x.check(p.s.list.Clear(p.at))
	case kind < 57:
		expiry := x.ttls.list.expiry(p.now)
		m.list[p.id] = []mortal[int64]{{v, expiry}, {v + 1, expiry}}
		x.check(p.s.list.Set(p.at, []int64{v, v + 1}))
	default: // read some, and maybe clear the rest while at it
		n, clears := 1+x.r.IntN(3), x.r.IntN(4) == 0
		var got []int64
		for v, err := range p.s.list.All(p.at) {
			x.check(err)
			if got = append(got, v); len(got) == n {
				break
			}
			if clears {
				x.check(p.s.list.Clear(p.at))
			}
		}
		want := m.items(p.id, n, p.now, x.ttls.list)
		if clears && n > 1 && len(want) > 0 {
			delete(m.list, p.id)
		}
		if !slices.Equal(got, want) {
			x.fatal("list of %q begins %v, want %v", p.id, got, want)
		}
	}
}

func (x *random) accessTable(p place, kind int, v int64) {
	table, l := x.model.tableOf(p.id), x.ttls.table
	anyKey := func() string { return string(rune('a' + x.r.IntN(8))) }
	mk := anyKey()
	set := func(mk string, v int64) {
		table.set(mk, v, p.now, l)
		x.check(p.s.table.Set(p.at, mk, v))
	}
	remove := func(mk string) {
		delete(table, mk)
		x.check(p.s.table.Delete(p.at, mk))
	}
	switch {
	case kind < 70:
		set(mk, v)
	case kind < 72:
		remove(mk)
	case kind < 73:
		delete(x.model.table, p.id)
		x.check(p.s.table.Clear(p.at))
	case kind < 76:
		got, found, err := p.s.table.Get(p.at, mk)
		x.check(err)
		if want, there := table.get(mk, p.now, l); found != there || got != want {
			x.fatal("entry %q of %q is %d, %v; want %d, %v", mk, p.id, got, found, want, there)
		}
	case kind < 77:
		has, err := p.s.table.Has(p.at, mk)
		x.check(err)
		if _, there := table.get(mk, p.now, l); has != there {
			x.fatal("entry %q of %q is there: %v, want %v", mk, p.id, has, there)
		}
	case kind < 78 && x.r.IntN(4) == 0: // many at once
		for i := range 300 {
			set(fmt.Sprint("many ", i), v+int64(i))
		}
	default: // write while reading
		before := map[string]mortal[int64]{}
		var want []string
		for _, mk := range table.all(p.now) {
			before[mk] = table[mk]
			want = append(want, mk)
		}
		var got []string
		for e, err := range p.s.table.All(p.at) {
			x.check(err)
			if e.Value != before[e.Key].value {
				x.fatal("entry %q of %q is %d, want %d", e.Key, p.id, e.Value, before[e.Key].value)
			}
			got = append(got, e.Key)
			if m, there := table[e.Key]; there && m == before[e.Key] { // else it was not read, but written
				table[e.Key] = m.read(p.now, l)
			}
			if x.r.IntN(2) == 0 {
				set(anyKey(), v)
			} else {
				remove(anyKey())
			}
		}
		if !slices.Equal(got, want) {
			x.fatal("map of %q has %q, want %q", p.id, got, want)
		}
	}
}

// compare compares all states of one key and namespace with the model.
func (x *random) compare(k, ns string) {
	x.t.Helper()
	p, m := x.place(k, ns), x.model
	equal(x, p, "value", p.s.value.Get, m.value, x.ttls.value, stats.String)
	equal(x, p, "number", p.s.number.Get, m.number, x.ttls.number, func(n int64) string { return fmt.Sprint(n) })
	equal(x, p, "sum", p.s.sum.Get, m.sum, x.ttls.sum, func(n int64) string { return fmt.Sprint(n) })
	equal(x, p, "joined", p.s.joined.Get, m.joined, x.ttls.joined, strings.Clone)
	mean, found, err := p.s.mean.Get(p.at)
	x.check(err)
	if acc, there := m.mean.get(p.id, p.now, x.ttls.mean); found != there || there && mean != acc[0]/acc[1] {
		x.fatal("mean of %q is %d, %v; want that of %v, %v", p.id, mean, found, acc, there)
	}
	n, err := p.s.list.Len(p.at)
	x.check(err)
	list, err := p.s.list.Get(p.at)
	x.check(err)
	if want := m.items(p.id, -1, p.now, x.ttls.list); !slices.Equal(list, want) || n != len(want) {
		x.fatal("list of %q is %v, its length %d; want %v", p.id, list, n, want)
	}
	table := m.table[p.id]
	var got []string
	for e, err := range p.s.table.All(p.at) {
		x.check(err)
		got = append(got, e.Key)
		if want, _ := table.get(e.Key, p.now, x.ttls.table); e.Value != want {
			x.fatal("entry %q of %q is %d, want %d", e.Key, p.id, e.Value, want)
		}
	}
	if want := table.all(p.now); !slices.Equal(got, want) {
		x.fatal("map of %q has %q, want %q", p.id, got, want)
	}
}

// equal compares one value with that of the model.
func equal[V any](x *random, p place, what string, get func(state.Context) (V, bool, error), s shelf[V], l ttl, render func(V) string) {
	x.t.Helper()
	got, found, err := get(p.at)
	x.check(err)
	if want, there := s.get(p.id, p.now, l); found != there || found && render(got) != render(want) {
		x.fatal("%s of %q is %s, %v; want %s, %v", what, p.id, render(got), found, render(want), there)
	}
}

// compareAll compares the states of all keys, in the order in which they are
// listed, and after that those of keys that have none.
func (x *random) compareAll() {
	x.t.Helper()
	var want []string
	for i := range randomKeys {
		k := fmt.Sprint("k", i)
		if slices.ContainsFunc(randomNamespaces, func(ns string) bool { return x.model.holds(k+"|"+ns, x.now()) }) {
			want = append(want, k)
		}
	}
	slices.Sort(want)
	got := x.o.visit(func(k string) {
		for _, ns := range randomNamespaces {
			x.compare(k, ns)
		}
	})
	if !slices.Equal(got, want) {
		x.fatal("keys with state are %q, want %q", got, want)
	}
	for i := range randomKeys {
		for _, ns := range randomNamespaces {
			x.compare(fmt.Sprint("k", i), ns)
		}
	}
}
