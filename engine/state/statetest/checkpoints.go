package statetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// counts is a value state of one subtask.
type counts struct {
	state.Value[string]
}

func openCounts(s *subtask) counts {
	s.t.Helper()
	v := state.NewValue[string](s, "counts")
	s.opened()
	return counts{v}
}

func fill(t *testing.T, v state.Value[string], from, to int, value string) {
	t.Helper()
	for i := from; i < to; i++ {
		ok(t, v.Set(key(fmt.Sprint(i)), value))
	}
}

// holds fails the test unless keys from up to to have the value, or none if it
// is empty.
func holds(t *testing.T, v state.Value[string], from, to int, value string) {
	t.Helper()
	for i := from; i < to; i++ {
		got, found, err := v.Get(key(fmt.Sprint(i)))
		ok(t, err)
		if got != value || found != (value != "") {
			t.Fatalf("key %d: got %q, %v; want %q", i, got, found, value)
		}
	}
}

func testEmpty(t *testing.T, h Harness) {
	o := newOp(t, h)
	o.one(nil)
	none := o.checkpoint() // no state was ever opened
	o.stop()
	_ = openCounts(o.one(none))
	empty := o.checkpoint() // a state without entries
	o.stop()
	v := openCounts(o.one(empty))
	holds(t, v.Value, 0, 10, "")
	fill(t, v.Value, 0, 10, "x")
	full := o.checkpoint()
	o.stop()
	v = openCounts(o.one(full))
	holds(t, v.Value, 0, 10, "x")
	if r := full.handles[0].KeyGroups(); r != o.subtasks[0].groups {
		t.Errorf("the handle is of %v, want %v", r, o.subtasks[0].groups)
	}
	if full.handles[0].FullBytes() <= 0 || full.handles[0].NewBytes() < 0 {
		t.Errorf("the handle has %d bytes, %d of them new", full.handles[0].FullBytes(), full.handles[0].NewBytes())
	}
	o.stop()
}

// I8: a snapshot holds what was written before it and nothing that was written
// after, however late it is persisted.
func testSnapshotExact(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	v := openCounts(s)
	l := state.NewList[int](s, "list")
	m := state.NewMap[int, string](s, "map")
	s.opened()
	fill(t, v.Value, 0, 100, "before")
	ok(t, l.Add(key("k"), 1, 2))
	ok(t, m.Set(key("k"), 1, "before"))
	b, pending := o.snapshot()
	fill(t, v.Value, 50, 150, "after")
	for i := range 25 {
		ok(t, v.Clear(key(fmt.Sprint(i))))
	}
	ok(t, l.Add(key("k"), 3))
	ok(t, m.Clear(key("k")))
	ok(t, m.Set(key("k"), 2, "after"))
	c, err := o.persist(b, pending)
	ok(t, err)
	o.commit(c)
	later := o.checkpoint()
	o.stop()

	check := func(from *stored, cleared, before, after string, list, entries string) {
		t.Helper()
		s := o.one(from)
		l := state.NewList[int](s, "list")
		m := state.NewMap[int, string](s, "map")
		v := openCounts(s)
		holds(t, v.Value, 0, 25, cleared)
		holds(t, v.Value, 25, 50, "before")
		holds(t, v.Value, 50, 100, before)
		holds(t, v.Value, 100, 150, after)
		items, err := l.Get(key("k"))
		ok(t, err)
		if got := fmt.Sprint(items); got != list {
			t.Fatalf("list is %s, want %s", got, list)
		}
		got := ""
		for e, err := range m.All(key("k")) {
			ok(t, err)
			got += fmt.Sprint(e)
		}
		if got != entries {
			t.Fatalf("map is %s, want %s", got, entries)
		}
		o.stop()
	}
	check(c, "before", "before", "", "[1 2]", "{1 before}")
	check(later, "", "after", "after", "[1 2 3]", "{2 after}")
}

// I8: Persist runs in another goroutine while records go on.
func testPersistBesideWrites(t *testing.T, h Harness) {
	o := newOp(t, h)
	v := openCounts(o.one(nil))
	fill(t, v.Value, 0, 2000, "0")
	type result struct {
		c   *stored
		err error
	}
	var all []*stored
	for round := 1; round <= 3; round++ {
		b, pending := o.snapshot()
		done := make(chan result)
		go func() {
			c := &stored{id: b.ID}
			h, err := pending[0].Persist(t.Context())
			c.handles = []checkpoint.StateHandle{h}
			done <- result{c, err}
		}()
		fill(t, v.Value, 0, 2000, fmt.Sprint(round))
		r := <-done
		ok(t, r.err)
		if h.Reload != nil {
			r.c.handles[0] = h.Reload(t, r.c.handles[0])
		}
		o.commit(r.c)
		all = append(all, r.c)
	}
	o.stop()
	for i, c := range all {
		v := openCounts(o.one(c))
		holds(t, v.Value, 0, 2000, fmt.Sprint(i))
		o.stop()
	}
}

// I1, I3: a job can resume from any retained checkpoint, in any order, and what
// came after that checkpoint leaves no trace.
func testRestoreAny(t *testing.T, h Harness) {
	o := newOp(t, h)
	v := openCounts(o.one(nil))
	var all []*stored
	for i := range 4 {
		fill(t, v.Value, i*50, i*50+100, fmt.Sprint("value ", i))
		all = append(all, o.checkpoint())
	}
	o.stop()
	for _, i := range []int{3, 0, 2, 1, 1} {
		v := openCounts(o.one(all[i]))
		for j := range i {
			holds(t, v.Value, j*50, j*50+50, fmt.Sprint("value ", j))
		}
		holds(t, v.Value, i*50, i*50+100, fmt.Sprint("value ", i))
		holds(t, v.Value, i*50+100, 300, "")
		// A branch of its own, from which nothing gets into the others.
		fill(t, v.Value, 0, 300, fmt.Sprint("branch ", i))
		branch := o.checkpoint()
		fill(t, v.Value, 0, 300, "lost")
		o.stop()
		v = openCounts(o.one(branch))
		holds(t, v.Value, 0, 300, fmt.Sprint("branch ", i))
		o.stop()
	}
}

// What a checkpoint holds has to be declared: nothing is carried along unseen.
func testUndeclared(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	v := openCounts(s)
	other := state.NewValue[string](s, "other")
	s.opened()
	fill(t, v.Value, 0, 20, "v")
	fill(t, other, 0, 20, "o")
	c := o.checkpoint()
	o.stop()
	for _, parallelism := range []int{1, 2} {
		if parallelism > 1 && h.NoRescale {
			break
		}
		o.start(parallelism, c)
		for _, s := range o.subtasks {
			state.NewValue[string](s, "counts")
			if err := s.registry.Err(); !errors.Is(err, state.ErrUndeclared) || !strings.Contains(err.Error(), `["other"]`) {
				t.Fatalf("without a state of the checkpoint: %v", err)
			}
		}
		o.stop()
	}
	s = o.one(c)
	other = state.NewValue[string](s, "other")
	v = openCounts(s)
	holds(t, v.Value, 0, 20, "v")
	holds(t, other, 0, 20, "o")
	o.stop()
}

// What is dropped is in no later checkpoint, and does not come back.
func testDropped(t *testing.T, h Harness) {
	for _, parallelism := range []int{1, 2} {
		if parallelism > 1 && h.NoRescale {
			break
		}
		o := newOp(t, h)
		s := o.one(nil)
		v := openCounts(s)
		other := state.NewMap[string, string](s, "other")
		s.opened()
		fill(t, v.Value, 0, 20, "v")
		for i := range 20 {
			ok(t, other.Set(key(fmt.Sprint(i)), "k", "o"))
		}
		c := o.checkpoint()
		o.stop()

		o.drop = []string{"other", "never-there"}
		for _, s := range o.start(parallelism, c) {
			openCounts(s)
		}
		c = o.checkpoint()
		o.stop()
		o.drop = nil

		s = o.one(c) // rescaled once more
		v = openCounts(s)
		holds(t, v.Value, 0, 20, "v")
		c = o.checkpoint()
		o.stop()

		// Of another type, even: nothing of the old one is left.
		s = o.one(c)
		v = openCounts(s)
		again := state.NewValue[int64](s, "other")
		s.opened()
		holds(t, v.Value, 0, 20, "v")
		for i := range 20 {
			if _, found, err := again.Get(key(fmt.Sprint(i))); found || err != nil {
				t.Fatalf("key %d of a dropped state: %v, %v", i, found, err)
			}
		}
		o.stop()
	}
	// It cannot be dropped and declared: each start would lose it.
	o := newOp(t, h)
	v := openCounts(o.one(nil))
	fill(t, v.Value, 0, 20, "v")
	c := o.checkpoint()
	o.stop()
	o.drop = []string{"counts"}
	s := o.one(c)
	state.NewValue[string](s, "counts")
	if err := s.registry.Err(); !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), "is to be dropped, but") {
		t.Fatalf("dropped and declared: %v", err)
	}
	o.stop()
}

func testEvolution(t *testing.T, h Harness) {
	type v1 struct{ A int32 }
	type v2 struct {
		A int64
		B string
	}
	o := newOp(t, h)
	s := o.one(nil)
	before := state.NewValue[v1](s, "s")
	s.opened()
	ok(t, before.Set(key("1"), v1{1}))
	c := o.checkpoint()
	o.stop()
	s = o.one(c)
	after := state.NewValue[v2](s, "s")
	s.opened()
	got, found, err := after.Get(key("1"))
	is(t, "what an older version wrote", got, found, err, v2{1, ""})
	ok(t, after.Set(key("2"), v2{2, "two"}))
	c = o.checkpoint()
	o.stop()
	s = o.one(c)
	after = state.NewValue[v2](s, "s")
	s.opened()
	got, found, err = after.Get(key("1"))
	is(t, "never rewritten", got, found, err, v2{1, ""})
	got, found, err = after.Get(key("2"))
	is(t, "written by the newer version", got, found, err, v2{2, "two"})
	o.stop()
	// The way back is closed: it would lose B.
	s = o.one(c)
	_ = state.NewValue[v1](s, "s")
	if err := s.registry.Err(); !errors.Is(err, state.ErrIncompatible) {
		t.Fatalf("opened by the older version: %v", err)
	}
	o.stop()
}

func testIncompatible(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	v := state.NewValue[int64](s, "v")
	m := state.NewMap[string, int64](s, "m")
	s.opened()
	ok(t, v.Set(key("k"), 1))
	ok(t, m.Set(key("k"), "x", 1))
	c := o.checkpoint()
	o.stop()
	for name, open := range map[string]func(s *subtask){
		"other kind":      func(s *subtask) { state.NewList[int64](s, "v") },
		"other type":      func(s *subtask) { state.NewValue[string](s, "v") },
		"narrower":        func(s *subtask) { state.NewValue[int32](s, "v") },
		"namespace":       func(s *subtask) { state.NewValue[int64](s, "v", state.WithNamespace("window")) },
		"other map key":   func(s *subtask) { state.NewMap[int64, int64](s, "m") },
		"other map value": func(s *subtask) { state.NewMap[string, bool](s, "m") },
		"other key": func(s *subtask) {
			d := raw("v")
			d.Key, d.Value = "int64", "int64"
			if _, err := s.backend.Column(d); !errors.Is(err, state.ErrIncompatible) {
				t.Errorf("other key: %v", err)
			}
			state.NewList[int64](s, "v")
		},
	} {
		s := o.one(c)
		open(s)
		if err := s.registry.Err(); !errors.Is(err, state.ErrIncompatible) {
			t.Errorf("%s: got %v, want ErrIncompatible", name, err)
		}
		o.stop()
	}
	s = o.one(c)
	v = state.NewValue[int64](s, "v")
	state.NewMap[string, int64](s, "m")
	s.opened()
	got, found, err := v.Get(key("k"))
	is(t, "after refusals", got, found, err, 1)
	o.stop()
}

// I6: notices may come twice, late, out of order, or for unknown checkpoints.
func testNotices(t *testing.T, h Harness) {
	o := newOp(t, h)
	s := o.one(nil)
	v := openCounts(s)
	r := s.registry
	r.Committed(0)
	r.Aborted(99)
	r.Committed(77)
	fill(t, v.Value, 0, 50, "1")
	first := o.checkpoint()
	fill(t, v.Value, 10, 50, "2")
	b, pending := o.snapshot()
	r.Committed(first.id)
	r.Aborted(b.ID) // while it is being persisted
	_, err := o.persist(b, pending)
	ok(t, err)
	r.Aborted(b.ID)
	fill(t, v.Value, 20, 50, "3")
	third := o.checkpoint()
	r.Aborted(first.id) // nonsense, and late
	r.Committed(third.id)
	r.Committed(first.id)
	r.Aborted(b.ID)
	fill(t, v.Value, 30, 50, "4")
	fourth := o.checkpoint()
	o.stop()
	for _, c := range []*stored{fourth, third, fourth} {
		v := openCounts(o.one(c))
		o.subtasks[0].registry.Committed(c.id) // of an attempt before
		o.subtasks[0].registry.Aborted(b.ID)
		holds(t, v.Value, 0, 10, "1")
		holds(t, v.Value, 10, 20, "2")
		holds(t, v.Value, 20, 30, "3")
		if c == fourth {
			holds(t, v.Value, 30, 50, "4")
		}
		next := o.checkpoint()
		o.stop()
		v = openCounts(o.one(next))
		holds(t, v.Value, 0, 10, "1")
		o.stop()
	}
}

// I11: a snapshot that fails or is dropped leaves the state, and later
// checkpoints, as they are.
func testFailedSnapshots(t *testing.T, h Harness) {
	o := newOp(t, h)
	v := openCounts(o.one(nil))
	fill(t, v.Value, 0, 100, "1")
	o.checkpoint()
	fill(t, v.Value, 20, 100, "2")

	b, pending := o.snapshot()
	pending[0].Release()
	o.subtasks[0].registry.Aborted(b.ID)
	fill(t, v.Value, 40, 100, "3")

	b, pending = o.snapshot()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pending[0].Persist(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("persist with an ended context: %v", err)
	}
	o.subtasks[0].registry.Aborted(b.ID)
	fill(t, v.Value, 60, 100, "4")

	// Two at a time, of which the older one is dropped last.
	older, olderPending := o.snapshot()
	fill(t, v.Value, 80, 100, "5")
	c := o.checkpoint()
	olderPending[0].Release()
	o.subtasks[0].registry.Aborted(older.ID)
	holds(t, v.Value, 80, 100, "5")
	o.stop()

	v = openCounts(o.one(c))
	for i, from := range []int{0, 20, 40, 60, 80} {
		holds(t, v.Value, from, from+20, fmt.Sprint(i+1))
	}
	o.stop()
}

// I9: whatever the old and new parallelism, every key is in exactly one subtask,
// with all that was stored for it.
func testRescale(t *testing.T, h Harness) {
	o := newOp(t, h)
	var from *stored
	all := map[string]string{}
	for round, parallelism := range []int{1, 3, 2, 2, 7, 1} {
		o.start(parallelism, from)
		var values []state.Value[string]
		var lists []state.List[string]
		for _, s := range o.subtasks {
			values = append(values, state.NewValue[string](s, "v"))
			lists = append(lists, state.NewList[string](s, "l"))
			s.opened()
		}
		var want []string
		for k, v := range all {
			want = append(want, k)
			for i, s := range o.subtasks {
				own := s == o.owner(key(k))
				got, found, err := values[i].Get(key(k))
				ok(t, err)
				list, err := lists[i].Get(keyIn(k, "ns"))
				ok(t, err)
				if own && (got != v || !slices.Equal(list, []string{k, v})) || !own && (found || list != nil) {
					t.Fatalf("parallelism %d, subtask %d, key %s: got %q, %q; owned: %v", parallelism, i, k, got, list, own)
				}
			}
		}
		slices.Sort(want)
		if got := o.visited(); !slices.Equal(got, want) {
			t.Fatalf("parallelism %d: %d keys visited, want %d", parallelism, len(got), len(want))
		}
		for n := round * 100; n < round*100+300; n++ {
			k := fmt.Sprint("key ", n)
			all[k] = fmt.Sprint("round ", round)
			for i, s := range o.subtasks {
				if s == o.owner(key(k)) {
					ok(t, values[i].Set(key(k), all[k]))
					ok(t, lists[i].Set(keyIn(k, "ns"), []string{k, all[k]}))
				}
			}
		}
		from = o.checkpoint()
		o.stop()
	}
}
