package engine

import (
	"slices"
	"testing"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// I1: the chains that the graph tells are those of the plan. Whoever knows the
// graph alone knows so which operators a subtask has to acknowledge.
func TestGraphTellsTheChains(t *testing.T) {
	j := NewJob("j")
	var none Source[int]
	in := From(j, "in", none)
	one := Map(in, "one", func(i int) int { return i })
	two := Map(in, "two", func(i int) int { return i }, Parallelism(3))
	both := Map(Union(one, two), "both", func(i int) int { return i })
	sum := Process(KeyBy(both, func(i int) int { return i }), "sum", func() Processor[int, int, int] { return nil })
	sum.To("out", nil)
	for _, parallelism := range []int{1, 2, 3} {
		want := map[checkpoint.OperatorID][]checkpoint.OperatorID{}
		for _, p := range newPlan(j, parallelism).nodes {
			want[p.head.id] = append(want[p.head.id], p.id)
		}
		got := j.Graph(parallelism).Vertices()
		for v, chain := range want {
			if !slices.Equal(got[v], chain) {
				t.Errorf("parallelism %d: vertex %s is %v, want %v", parallelism, v, got[v], chain)
			}
		}
		if len(got) != len(want) {
			t.Errorf("parallelism %d: vertices %v, want %v", parallelism, got, want)
		}
	}
}
