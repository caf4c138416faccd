package deploy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

func planOf(parallelism ...int) checkpoint.Graph {
	g := checkpoint.Graph{Job: "j", MaxParallelism: 128}
	for i, p := range parallelism {
		g.Operators = append(g.Operators, checkpoint.GraphOperator{ID: checkpoint.OperatorID(fmt.Sprintf("op%d", i)), Type: "process", Parallelism: p, Key: "int64"})
	}
	return g
}

// Every subtask has a worker with room for it, workers that stay keep their
// slots, and the order of workers does not matter.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := planOf(rapid.SliceOfN(rapid.IntRange(1, 12), 1, 4).Draw(t, "parallelism")...)
		need := 0
		for _, o := range plan.Operators {
			need = max(need, o.Parallelism)
		}
		var workers []Worker
		offered := 0
		for i := range rapid.IntRange(0, 6).Draw(t, "workers") {
			w := Worker{
				ID: WorkerID(fmt.Sprintf("w%d", i)), Slots: rapid.IntRange(0, 8).Draw(t, "slots"), Leaving: rapid.IntRange(0, 4).Draw(t, "leaving") == 0,
				Held: []Held{{"op0", keygroup.Range{Start: rapid.IntRange(0, 64).Draw(t, "start"), End: 128}, rapid.Int64Range(0, 1000).Draw(t, "bytes")}},
			}
			if !w.Leaving {
				offered += w.Slots
			}
			workers = append(workers, w)
		}
		var before Placement
		for range rapid.IntRange(0, 14).Draw(t, "before") {
			before.Slots = append(before.Slots, WorkerID(fmt.Sprintf("w%d", rapid.IntRange(0, 8).Draw(t, "was"))))
		}
		p, err := Place(plan, workers, before)
		if offered < need {
			if !errors.Is(err, ErrNoRoom) {
				t.Fatalf("%d slots needed, %d offered: %v, %v", need, offered, p, err)
			}
			return
		}
		if err != nil || len(p.Slots) != need {
			t.Fatalf("%d slots needed: %v, %v", need, p, err)
		}
		used := map[WorkerID]int{}
		for _, w := range p.Slots {
			used[w]++
		}
		kept := map[WorkerID]int{}
		for _, w := range workers {
			if used[w.ID] > w.Slots || used[w.ID] > 0 && w.Leaving {
				t.Fatalf("%+v has %d slots", w, used[w.ID])
			}
			delete(used, w.ID)
			if !w.Leaving {
				kept[w.ID] = w.Slots
			}
		}
		if len(used) > 0 {
			t.Fatalf("slots on %v, which are not there", used)
		}
		for i := range min(need, len(before.Slots)) { // those that had a slot and have room keep it
			if w := before.Slots[i]; kept[w] > 0 {
				if kept[w]--; p.Slots[i] != w {
					t.Fatalf("slot %d was on %s and is on %s", i, w, p.Slots[i])
				}
			}
		}
		if q, _ := Place(plan, rapid.Permutation(workers).Draw(t, "order"), before); !reflect.DeepEqual(p, q) {
			t.Fatalf("%v, but in another order %v", p, q)
		}
		if q, _ := Place(plan, workers, p); !reflect.DeepEqual(p, q) {
			t.Fatalf("%v is not kept: %v", p, q)
		}
	})
}

// A slot without a worker goes where its state is, else where there is room.
func TestPlaceByHeldState(t *testing.T) {
	plan := planOf(2)
	workers := []Worker{
		{ID: "a", Slots: 2},
		{ID: "b", Slots: 3},
		{ID: "c", Slots: 1, Held: []Held{{"op0", keygroup.Range{Start: 64, End: 128}, 1000}}},
	}
	p, err := Place(plan, workers, Placement{})
	if want := []WorkerID{"b", "c"}; err != nil || !slices.Equal(p.Slots, want) {
		t.Fatalf("%v, %v; want %v", p, err, want)
	}
	if p.Worker(3) != "c" || !slices.Equal(p.Workers(), []WorkerID{"b", "c"}) {
		t.Fatalf("subtask 3 is on %s", p.Worker(3))
	}
}
