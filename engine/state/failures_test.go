package state_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

// once is a backend of whose calls one fails: that which brings left to zero.
type once struct {
	state.Backend
	left *int
}

func (o once) fail() error {
	if *o.left--; *o.left == 0 {
		return errStubborn
	}
	return nil
}

func (o once) Column(d state.Descriptor) (state.Column, error) {
	c, err := o.Backend.Column(d)
	return onceColumn{c, o}, err
}

type onceColumn struct {
	c state.Column
	o once
}

func (c onceColumn) Get(dst, key []byte) ([]byte, bool, error) {
	if err := c.o.fail(); err != nil {
		return dst, false, err
	}
	return c.c.Get(dst, key)
}

func (c onceColumn) Put(key, value []byte) error {
	return errors.Join(c.o.fail(), c.c.Put(key, value))
}

func (c onceColumn) Delete(key []byte) error { return errors.Join(c.o.fail(), c.c.Delete(key)) }

func (c onceColumn) Scan(start, end []byte) state.Iterator {
	return &onceIterator{Iterator: c.c.Scan(start, end), o: c.o}
}

type onceIterator struct {
	state.Iterator
	o   once
	err error
}

func (i *onceIterator) Next() bool {
	if i.err == nil {
		i.err = i.o.fail()
	}
	return i.err == nil && i.Iterator.Next()
}

func (i *onceIterator) Seek(key []byte) bool {
	if i.err == nil {
		i.err = i.o.fail()
	}
	return i.err == nil && i.Iterator.Seek(key)
}

func (i *onceIterator) Err() error   { return errors.Join(i.err, i.Iterator.Err()) }
func (i *onceIterator) Close() error { return errors.Join(i.o.fail(), i.Iterator.Close()) }

// Whatever call of the column below fails, the access that made it says so.
func TestEveryFailureOfAColumnIsReturned(t *testing.T) {
	for name, opts := range map[string][]state.Option{"forever": nil, "mortal": {state.TTL(time.Hour, state.RefreshOnRead)}} {
		now := time.Unix(0, 0)
		left := 0
		b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", KeyGroups: keygroup.Range{Start: 0, End: groups}})
		if err != nil {
			t.Fatal(err)
		}
		s := subtask{state.NewRegistry(once{b, &left}, "int64", nil)}
		s.registry.SetClock(func() time.Time { return now })
		v := state.NewValue[string](s, "value", opts...)
		c := state.NewValue[int64](s, "cell", opts...)
		r := state.NewReducing(s, "sum", func(a, b int64) int64 { return a + b }, opts...)
		l := state.NewList[int64](s, "list", opts...)
		m := state.NewMap[brittle, string](s, "map", opts...)
		if err := s.registry.Err(); err != nil {
			t.Fatal(err)
		}
		k := atKey(1)
		for call, f := range map[string]func() error{
			"value get":    func() error { _, _, err := v.Get(k); return err },
			"value get or": func() error { _, err := v.GetOr(k, ""); return err },
			"value update": func() error {
				return v.Update(k, func(v string, _ bool) (string, error) { return v + "x", nil })
			},
			"value set":   func() error { return v.Set(k, "x") },
			"value clear": func() error { return v.Clear(k) },
			"cell get":    func() error { _, _, err := c.Get(k); return err },
			"cell update": func() error { return c.Update(k, func(v int64, _ bool) (int64, error) { return v + 1, nil }) },
			"cell set":    func() error { return c.Set(k, 1) },
			"cell clear":  func() error { return c.Clear(k) },
			"sum get":     func() error { _, _, err := r.Get(k); return err },
			"sum add":     func() error { return r.Add(k, 1) },
			"sum clear":   func() error { return r.Clear(k) },
			"list get":    func() error { _, err := l.Get(k); return err },
			"list len":    func() error { _, err := l.Len(k); return err },
			"list add":    func() error { return l.Add(k, 1, 2) },
			"list set":    func() error { return l.Set(k, []int64{1, 2}) },
			"list clear":  func() error { return l.Clear(k) },
			"list all": func() error {
				for _, err := range l.All(k) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			"map get":    func() error { _, _, err := m.Get(k, 1); return err },
			"map has":    func() error { _, err := m.Has(k, 1); return err },
			"map set":    func() error { return m.Set(k, 1, "x") },
			"map delete": func() error { return m.Delete(k, 1) },
			"map clear":  func() error { return m.Clear(k) },
			"map all": func() error {
				for _, err := range m.All(k) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			"each key": func() error { return s.registry.EachKey(t.Context(), func(*state.Current) error { return nil }) },
		} {
			for n := 1; ; n++ {
				left = 0
				if err := errors.Join(v.Set(k, "1"), c.Set(k, 1), r.Add(k, 1), l.Set(k, []int64{1, 2}), m.Set(k, 1, "1"), m.Set(k, 2, "2")); err != nil {
					t.Fatal(err)
				}
				left, now = n, now.Add(10*time.Minute) // so that reading puts off an expiry
				err := f()
				if left > 0 {
					if err != nil || n == 1 {
						t.Errorf("%s %s: %v without a failure, after %d calls", name, call, err, n)
					}
					break
				}
				if !errors.Is(err, errStubborn) {
					t.Errorf("%s %s: call %d of the column failed, and it returned %v", name, call, n, err)
				}
			}
			left = 0
		}
		if err := s.registry.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A state that could not be opened says why, at each access.
func TestStatesThatCouldNotBeOpenedSayWhy(t *testing.T) {
	s := newSubtask(t, "int64")
	k := atKey(1)
	v := state.NewValue[hidden](s, "value")
	r := state.NewReducing(s, "sum", func(a, _ hidden) hidden { return a })
	l := state.NewList[hidden](s, "list")
	m := state.NewMap[string, hidden](s, "map")
	each := func(f func() error) error { return f() }
	for call, err := range map[string]error{
		"value get":    each(func() error { _, _, err := v.Get(k); return err }),
		"value update": v.Update(k, func(h hidden, _ bool) (hidden, error) { return h, nil }),
		"value set":    v.Set(k, hidden{}),
		"value clear":  v.Clear(k),
		"sum get":      each(func() error { _, _, err := r.Get(k); return err }),
		"sum add":      r.Add(k, hidden{}),
		"sum clear":    r.Clear(k),
		"list get":     each(func() error { _, err := l.Get(k); return err }),
		"list len":     each(func() error { _, err := l.Len(k); return err }),
		"list add":     l.Add(k, hidden{}),
		"list set":     l.Set(k, []hidden{{}}),
		"list clear":   l.Clear(k),
		"map get":      each(func() error { _, _, err := m.Get(k, "x"); return err }),
		"map has":      each(func() error { _, err := m.Has(k, "x"); return err }),
		"map set":      m.Set(k, "x", hidden{}),
		"map delete":   m.Delete(k, "x"),
		"map clear":    m.Clear(k),
		"map all": each(func() error {
			for _, err := range m.All(k) {
				return err
			}
			return nil
		}),
	} {
		if !errors.Is(err, state.ErrUnsupported) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// I12: however many entries a key has, EachKey reads few of them before it visits the next.
func TestEachKeyReadsLittleOfALargeRow(t *testing.T) {
	const entries, few = 10_000, 2000
	b, err := memstate.Factory{}.Open(t.Context(), state.OpenRequest{Operator: "op", KeyGroups: keygroup.Range{Start: 0, End: groups}})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	s := subtask{state.NewRegistry(once{b, &calls}, "int64", nil)}
	m := state.NewMap[int64, int64](s, "map")
	if err := s.registry.Err(); err != nil {
		t.Fatal(err)
	}
	const keys = 3
	for k := range int64(keys) {
		for e := range int64(entries) {
			if err := m.Set(atKey(k), e, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	visits := 0
	calls = 0 // and each call makes it less
	err = s.registry.EachKey(t.Context(), func(c *state.Current) error {
		visits++
		if calls < -few {
			t.Errorf("before visit %d it read %d entries", visits, -calls)
		}
		calls = 0
		return nil
	})
	if err != nil || visits != keys {
		t.Errorf("%d visits, %v", visits, err)
	}
}
