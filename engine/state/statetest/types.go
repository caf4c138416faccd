package statetest

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/internal/anytype"
	"github.com/tidemark/tidemark/engine/state"
)

// types are value types of each kind that states take.
func types() []typed {
	return []typed{
		typeOf[bool](), typeOf[int8](), typeOf[uint64](), typeOf[float32](), typeOf[float64](), typeOf[string](), typeOf[[]byte](),
		typeOf[time.Time](), typeOf[time.Duration](), typeOf[netip.Addr](), typeOf[struct{}](), typeOf[[0]int](),
		typeOf[anytype.Celsius](), typeOf[anytype.Word](), typeOf[anytype.Shorts](), typeOf[anytype.Plain](), typeOf[anytype.Cell](),
		typeOf[anytype.Generic[string]](), typeOf[anytype.Generic[*time.Time]](), typeOf[anytype.Pair[anytype.Word, anytype.Plain]](),
		typeOf[anytype.Embeds](), typeOf[anytype.EmbedsPointer](), typeOf[anytype.Shadows](), typeOf[anytype.Twice](), typeOf[anytype.LeftOut](),
		typeOf[anytype.StampedTag](), typeOf[anytype.Packed](), typeOf[anytype.Color](), typeOf[anytype.Number](),
		typeOf[[3]anytype.Cell](), typeOf[*anytype.Cell](), typeOf[[]*anytype.Plain](), typeOf[map[anytype.Word][]anytype.Cell](),
		typeOf[map[[2]int8]map[string]*float64](), typeOf[anytype.Generic[[]anytype.Generic[map[anytype.Int]anytype.Packed]]](),
	}
}

// typed is the states of one value type.
type typed interface {
	open(s *subtask, name string, more bool)
	// set makes each state of key n hold the values of the seed.
	set(t *testing.T, n, seed int)
	// holds fails the test unless they do.
	holds(t *testing.T, n, seed int)
}

type typedStates[V any] struct {
	value state.Value[V]
	more  bool // list and table are open
	list  state.List[V]
	table state.Map[int, V]
}

func typeOf[V any]() typed { return &typedStates[V]{} }

func (s *typedStates[V]) open(sub *subtask, name string, more bool) {
	s.value, s.more = state.NewValue[V](sub, name+"-value"), more
	if !more {
		return
	}
	s.list = state.NewList[V](sub, name+"-list")
	s.table = state.NewMap[int, V](sub, name+"-map")
}

func (s *typedStates[V]) set(t *testing.T, n, seed int) {
	t.Helper()
	k, a, b := key(fmt.Sprint(n)), anytype.Example[V](anytype.Values{}, seed), anytype.Example[V](anytype.Values{}, seed+1)
	ok(t, s.value.Set(k, a))
	if !s.more {
		return
	}
	ok(t, s.list.Set(k, []V{a, b, a}))
	ok(t, s.table.Set(k, 1, a))
	ok(t, s.table.Set(k, 2, b))
}

func (s *typedStates[V]) holds(t *testing.T, n, seed int) {
	t.Helper()
	k, a, b := key(fmt.Sprint(n)), anytype.Example[V](anytype.Values{}, seed), anytype.Example[V](anytype.Values{}, seed+1)
	same := func(kind string, got, want V, found bool, err error) {
		t.Helper()
		if err != nil || !found || !anytype.Same(reflect.ValueOf(&want).Elem(), reflect.ValueOf(&got).Elem(), "state") {
			t.Fatalf("%s of %T, seed %d: %#v came back as %#v, %v, %v", kind, got, seed, want, got, found, err)
		}
	}
	got, found, err := s.value.Get(k)
	same("value", got, a, found, err)
	if !s.more {
		return
	}
	items, err := s.list.Get(k)
	if len(items) != 3 {
		t.Fatalf("list of %T, seed %d: %d items, %v", a, seed, len(items), err)
	}
	same("list", items[0], a, true, err)
	same("list", items[1], b, true, err)
	for i, want := range []V{a, b} {
		got, found, err := s.table.Get(k, i+1)
		same("map", got, want, found, err)
	}
}

// I16: values of any type that a state takes come back equal, from memory and from
// a checkpoint.
func testTypes(t *testing.T, h Harness) {
	const keys = 6
	o := newOp(t, h)
	all := types()
	open := func(from *stored) {
		t.Helper()
		s := o.one(from)
		for i, x := range all {
			x.open(s, fmt.Sprint("type", i), i%4 == 0)
		}
		s.opened()
	}
	each := func(f func(x typed, n, seed int), later bool) {
		for i, x := range all {
			for n := range keys {
				seed := 100*i + n
				if later && n%2 == 0 {
					seed += 50
				}
				f(x, n, seed)
			}
		}
	}
	set := func(x typed, n, seed int) { x.set(t, n, seed) }
	holds := func(x typed, n, seed int) { x.holds(t, n, seed) }
	open(nil)
	each(set, false)
	each(holds, false)
	first := o.checkpoint()
	each(holds, false)
	each(set, true)
	each(holds, true)
	second := o.checkpoint()
	o.stop()
	open(second)
	each(holds, true)
	o.stop()
	open(first)
	each(holds, false)
	o.stop()
}
