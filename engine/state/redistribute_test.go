package state_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// render renders one subtask's states as "name: item item; …".
func render(states []checkpoint.OperatorState) string {
	var parts []string
	for _, s := range states {
		parts = append(parts, s.Name+":"+string(slices.Concat(s.Items...)))
	}
	return strings.Join(parts, " ")
}

// opState is the state of one subtask; each letter of items is one.
func opState(name string, r checkpoint.Redistribution, items string) checkpoint.OperatorState {
	s := checkpoint.OperatorState{Name: name, Redistribution: r, Codec: "string"}
	for i := range len(items) {
		s.Items = append(s.Items, []byte(items[i:i+1]))
	}
	return s
}

func TestRedistribute(t *testing.T) {
	type subtasks = [][]checkpoint.OperatorState
	split := func(items ...string) (all subtasks) {
		for _, s := range items {
			all = append(all, []checkpoint.OperatorState{opState("s", checkpoint.Split, s)})
		}
		return all
	}
	for name, c := range map[string]struct {
		old         subtasks
		parallelism int
		want        []string
	}{
		"nothing":           {nil, 2, []string{"", ""}},
		"split, unchanged":  {split("ab", "", "cde"), 3, []string{"s:ab", "s:", "s:cde"}},
		"split, fewer":      {split("ab", "", "cde"), 2, []string{"s:ace", "s:bd"}},
		"split, to one":     {split("ab", "", "cde"), 1, []string{"s:abcde"}},
		"split, more":       {split("ab", "c"), 4, []string{"s:a", "s:b", "s:c", "s:"}},
		"split, item twice": {split("aa", "a"), 1, []string{"s:aaa"}},
		"union": {subtasks{{opState("u", checkpoint.Union, "ab")}, {opState("u", checkpoint.Union, "c")}}, 3,
			[]string{"u:abc", "u:abc", "u:abc"}},
		"union, unchanged": {subtasks{{opState("u", checkpoint.Union, "a")}, {opState("u", checkpoint.Union, "b")}}, 2,
			[]string{"u:ab", "u:ab"}},
		"broadcast": {subtasks{{opState("b", checkpoint.Broadcast, "ab")}, {opState("b", checkpoint.Broadcast, "ab")}}, 3,
			[]string{"b:ab", "b:ab", "b:ab"}},
		"broadcast, one empty": {subtasks{{opState("b", checkpoint.Broadcast, "")}, {opState("b", checkpoint.Broadcast, "ab")}}, 1,
			[]string{"b:ab"}},
		"several states": {subtasks{{opState("z", checkpoint.Split, "ab"), opState("a", checkpoint.Union, "c")}, {opState("a", checkpoint.Union, "d")}}, 1,
			[]string{"a:cd z:ab"}},
		"a state that only one has": {subtasks{{}, {opState("s", checkpoint.Split, "ab")}}, 2, []string{"s:", "s:ab"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, states := range state.Redistribute(c.old, c.parallelism) {
				got = append(got, render(states))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// I9: over any chain of parallelisms each split item is in one subtask, and
// the loads differ by one at most after a change.
func TestRedistributeKeepsEachItemOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var now [][]checkpoint.OperatorState
		var want []string
		for range rapid.IntRange(1, 5).Draw(t, "parallelism") {
			s := checkpoint.OperatorState{Name: "s", Codec: "c"}
			for range rapid.IntRange(0, 7).Draw(t, "items") {
				want = append(want, fmt.Sprintf("%03d", len(want)))
				s.Items = append(s.Items, []byte(want[len(want)-1]))
			}
			now = append(now, []checkpoint.OperatorState{s})
		}
		for _, p := range rapid.SliceOfN(rapid.IntRange(1, 9), 1, 4).Draw(t, "chain") {
			before := len(now)
			now = state.Redistribute(now, p)
			if len(now) != p {
				t.Fatalf("%d subtasks, want %d", len(now), p)
			}
			var got []string
			least, most := len(want), 0
			for _, states := range now {
				least, most = min(least, len(states[0].Items)), max(most, len(states[0].Items))
				for _, item := range states[0].Items {
					got = append(got, string(item))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			if before != p && most-least > 1 {
				t.Fatalf("loads from %d to %d", least, most)
			}
		}
	})
}

func TestOperatorList(t *testing.T) {
	type split struct{ Path string }
	type splitWithOffset struct {
		Path   string
		Offset int64
	}
	old := subtask{state.NewRegistry(nil, "", nil)}
	l := state.NewOperatorList[split](old, "splits", checkpoint.Split)
	n := state.NewOperatorList[int64](old, "count", checkpoint.Split)
	if err := errors.Join(old.registry.Err(), l.Add(split{"a"}), l.Add(split{"b"}, split{"c"}), n.Set([]int64{1, 2}), n.Set([]int64{3})); err != nil {
		t.Fatal(err)
	}
	snapshot := old.registry.OperatorStates()
	// What follows is not in the snapshot (I8).
	if err := errors.Join(l.Add(split{"late"}), n.Set(nil)); err != nil {
		t.Fatal(err)
	}
	if got, err := n.Get(); len(got) != 0 || err != nil {
		t.Fatalf("got %v, %v", got, err)
	}

	// A later version of the job: one state has grown, one is gone.
	next := subtask{state.NewRegistry(nil, "", snapshot)}
	next.registry.Drop([]string{"count"})
	grown := state.NewOperatorList[splitWithOffset](next, "splits", checkpoint.Split)
	if err := next.registry.Err(); err != nil {
		t.Fatal(err)
	}
	got, err := grown.Get()
	if want := []splitWithOffset{{"a", 0}, {"b", 0}, {"c", 0}}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
	if err := grown.Set([]splitWithOffset{{"a", 7}}); err != nil {
		t.Fatal(err)
	}
	if left := next.registry.OperatorStates(); len(left) != 1 || left[0].Name != "splits" {
		t.Fatalf("got %v", left)
	}
}

func TestOperatorListMisfits(t *testing.T) {
	restored := []checkpoint.OperatorState{opState("a", checkpoint.Split, "x"), opState("b", checkpoint.Union, "x")}
	for name, c := range map[string]struct {
		open func(s subtask)
		want string
	}{
		"codec":          {func(s subtask) { state.NewOperatorList[int](s, "a", checkpoint.Split) }, `"a": incompatible state: the type was string and is int64`},
		"redistribution": {func(s subtask) { state.NewOperatorList[string](s, "a", checkpoint.Union) }, `"a": its redistribution was`},
	} {
		s := subtask{state.NewRegistry(nil, "", restored)}
		c.open(s)
		if err := s.registry.Err(); !errors.Is(err, state.ErrIncompatible) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want it to say %q", name, err, c.want)
		}
	}
	s := subtask{state.NewRegistry(nil, "", []checkpoint.OperatorState{{Name: "numbers"}})}
	s.registry.Drop([]string{"number"})
	state.NewOperatorList[string](s, "numberz", checkpoint.Split)
	if err := s.registry.Err(); !errors.Is(err, state.ErrUndeclared) || !strings.Contains(err.Error(), `["numbers"]; the job has ["numberz"]; to be dropped is ["number"]`) {
		t.Errorf("mistyped: %v", err)
	}
	s = subtask{state.NewRegistry(nil, "", restored)}
	l := state.NewOperatorList[string](s, "a", checkpoint.Split)
	if err := s.registry.Err(); !errors.Is(err, state.ErrUndeclared) || !strings.Contains(err.Error(), `["b"]`) {
		t.Errorf("without b: %v", err)
	}
	if _, err := l.Get(); !errors.Is(err, state.ErrCorrupt) || !strings.Contains(err.Error(), `"a", item 0`) {
		t.Errorf("an item that is no encoding: %v", err)
	}
}
