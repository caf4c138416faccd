package statetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/state"
)

func add(a, b int64) int64 { return a + b }

// join does not commute, and its value has no fixed length.
func join(a, b string) string { return a + "," + b }

// mean can be added to without being read.
var mean = state.Aggregate[int64, [2]int64, int64]{
	Add:    func(acc [2]int64, v int64) [2]int64 { return [2]int64{acc[0] + v, acc[1] + 1} },
	Result: func(acc [2]int64) int64 { return acc[0] / acc[1] },
	Merge:  func(a, b [2]int64) [2]int64 { return [2]int64{a[0] + b[0], a[1] + b[1]} },
}

// sums are states that add: as cells where the backend has such, encoded, and one
// that has to read.
type sums struct {
	t       *testing.T
	sum     state.Reducing[int64]
	joined  state.Reducing[string]
	mean    state.Aggregating[int64, [2]int64, int64]
	letters state.Aggregating[int64, string, string]
	reads   state.Aggregating[int64, int64, int64]
}

func openSums(s *subtask, opts ...state.Option) sums {
	s.t.Helper()
	a := sums{
		s.t,
		state.NewReducing(s, "sum", add, opts...),
		state.NewReducing(s, "joined", join, opts...),
		state.NewAggregating(s, "mean", mean, opts...),
		state.NewAggregating(s, "letters", state.Aggregate[int64, string, string]{
			New:    func() string { return "<" },
			Add:    func(acc string, v int64) string { return acc + string(rune('a'+v%26)) },
			Result: func(acc string) string { return acc + ">" },
			Merge:  func(a, b string) string { return a + b[len("<"):] },
		}, opts...),
		state.NewAggregating(s, "reads", state.Aggregate[int64, int64, int64]{Add: add, Result: func(v int64) int64 { return v }}, opts...),
	}
	s.opened()
	return a
}

func (a sums) add(at *at, values ...int64) {
	a.t.Helper()
	for _, v := range values {
		ok(a.t, a.sum.Add(at, v))
		ok(a.t, a.joined.Add(at, fmt.Sprint(v)))
		ok(a.t, a.mean.Add(at, v))
		ok(a.t, a.letters.Add(at, v))
		ok(a.t, a.reads.Add(at, v))
	}
}

func (a sums) clear(at *at) {
	a.t.Helper()
	ok(a.t, a.sum.Clear(at))
	ok(a.t, a.joined.Clear(at))
	ok(a.t, a.mean.Clear(at))
	ok(a.t, a.letters.Clear(at))
	ok(a.t, a.reads.Clear(at))
}

// want fails the test unless a key has exactly what was added to it.
func (a sums) want(at *at, values ...int64) {
	a.t.Helper()
	var sum, average, joined, letters any
	if n := int64(len(values)); n > 0 {
		total, j, l := int64(0), "", "<"
		for i, v := range values {
			total += v
			l += string(rune('a' + v%26))
			if i > 0 {
				j += ","
			}
			j += fmt.Sprint(v)
		}
		sum, average, joined, letters = total, total/n, j, l+">"
	}
	n, found, err := a.sum.Get(at)
	is(a.t, "sum", n, found, err, sum)
	s, found, err := a.joined.Get(at)
	is(a.t, "joined", s, found, err, joined)
	n, found, err = a.mean.Get(at)
	is(a.t, "mean", n, found, err, average)
	s, found, err = a.letters.Get(at)
	is(a.t, "letters", s, found, err, letters)
	n, found, err = a.reads.Get(at)
	is(a.t, "reads", n, found, err, sum)
}

// I3, I8: what is added to a key of a restored checkpoint is merged with the value
// there, in order, whether it is read at once, later, after further checkpoints or
// never.
func testAddsMeetWhatIsBelow(t *testing.T, h Harness) {
	o := newOp(t, h)
	reopen := func(from *stored) sums {
		t.Helper()
		o.stop()
		return openSums(o.one(from))
	}
	a := reopen(nil)
	each := func(f func(i int, at *at)) {
		for i := range 600 { // enough for files
			f(i, keyIn(fmt.Sprint("k", i), []string{"", "ns"}[i%2]))
		}
	}
	each(func(_ int, at *at) { a.add(at, 1, 2) })
	a = reopen(o.checkpoint())
	each(func(i int, at *at) {
		switch i % 4 {
		case 0:
			a.add(at, 3, 4)
		case 1:
			a.add(at, 3)
			a.want(at, 1, 2, 3)
			a.add(at, 4)
		case 2:
			a.clear(at)
			a.add(at, 5)
		case 3:
			a.add(at, 3)
			a.clear(at)
		}
	})
	b, pending := o.snapshot()
	each(func(i int, at *at) {
		if i%8 < 4 {
			a.add(at, 6)
		}
	})
	frozen, err := o.persist(b, pending)
	ok(t, err)
	o.commit(frozen)
	each(func(i int, at *at) {
		if i%3 == 0 {
			a.add(at, 7, 8)
		}
	})
	later := o.checkpoint()
	each(func(_ int, at *at) { a.add(at, 9) })
	last := o.checkpoint()
	values := func(i, checkpoint int) []int64 {
		v := [][]int64{{1, 2, 3, 4}, {1, 2, 3, 4}, {5}, nil}[i%4]
		if checkpoint > 0 && i%8 < 4 {
			v = append(v[:len(v):len(v)], 6)
		}
		if checkpoint > 0 && i%3 == 0 {
			v = append(v[:len(v):len(v)], 7, 8)
		}
		if checkpoint > 1 {
			v = append(v[:len(v):len(v)], 9)
		}
		return v
	}
	each(func(i int, at *at) { a.want(at, values(i, 2)...) })
	for n, c := range []*stored{frozen, later, last} {
		a = reopen(c)
		each(func(i int, at *at) { a.want(at, values(i, n)...) })
	}
	o.stop()
}

// Adding has the same result as reading, merging and writing at once, whenever the
// merge takes place: the expiry, and whether the older value was still alive.
func testAddsOverWhatExpires(t *testing.T, h Harness) {
	o := newOp(t, h)
	early, late, twice, extended, forever := key("early"), key("late"), key("twice"), key("extended"), key("forever")
	compact := func() {
		if h.Compact != nil {
			h.Compact()
		}
	}
	for _, ttl := range []time.Duration{0, second} { // of those who add
		t.Run(fmt.Sprint("TTL ", ttl), func(t *testing.T) {
			o.t = t
			a := openSums(o.one(nil), state.TTL(second))
			for _, at := range []*at{early, late, twice, extended} {
				a.add(at, 1)
			}
			c := o.checkpoint()
			o.stop()
			a = openSums(o.one(c))
			a.add(forever, 1)
			c = o.checkpoint()
			o.stop()

			var opts []state.Option
			if ttl > 0 {
				opts = []state.Option{state.TTL(ttl)}
			}
			a = openSums(o.one(c), opts...)
			o.clock.Advance(second / 2)
			a.add(early, 2) // 1 is alive
			a.add(twice, 2)
			a.add(extended, 2)
			o.clock.Advance(second / 2)
			a.add(late, 2) // 1 is not
			a.add(forever, 2)
			a.add(extended, 3) // 1 was alive when 2 came
			compact()
			c = o.checkpoint() // by now 1 has expired
			compact()
			o.clock.Advance(second / 4)
			a.add(twice, 3)
			a.want(early, 1, 2)
			c2 := o.checkpoint()
			a.want(late, 2)
			a.want(twice, 1, 2, 3)
			a.want(forever, 1, 2)
			a.want(extended, 1, 2, 3)
			o.clock.Advance(second / 4)
			if ttl > 0 { // what began at one half has expired
				a.want(early)
				a.add(early, 4)
				a.want(early, 4)
			} else {
				a.want(early, 1, 2)
			}
			a.want(twice, 1, 2, 3)
			o.stop()
			a = openSums(o.one(c), opts...)
			a.want(late, 2)
			if ttl > 0 {
				a.want(twice)
			} else {
				a.want(twice, 1, 2)
			}
			o.stop()
			a = openSums(o.one(c2), opts...)
			a.add(twice, 4)
			o.clock.Advance(second * 9 / 10)
			a.want(twice, 1, 2, 3, 4)
			o.clock.Advance(second / 10)
			if ttl > 0 {
				a.want(twice)
			} else {
				a.want(twice, 1, 2, 3, 4)
			}
			o.stop()
		})
	}
}
