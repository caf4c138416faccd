package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// WorkerID names a process that hosts subtasks.
type WorkerID string

// Worker is a process that hosts subtasks, as it registered.
type Worker struct {
	ID WorkerID
	// Incarnation tells one start of the process from the next.
	Incarnation uint64
	Slots       int    // how many slots it offers
	Held        []Held // state that lies on its disk
	Leaving     bool   // it is about to end, so it gets no slots
}

// Held is state that lies on a worker's disk.
type Held struct {
	Operator  checkpoint.OperatorID
	KeyGroups keygroup.Range
	Bytes     int64
}

// Placement says where subtasks run: Slots names the worker of each slot. A slot runs
// the subtasks of all vertices whose index, modulo the number of slots, is its own.
type Placement struct{ Slots []WorkerID }

// Worker returns the worker of the subtasks with an index.
func (p Placement) Worker(index int) WorkerID { return p.Slots[index%len(p.Slots)] }

// Workers lists the workers that have a slot, sorted.
func (p Placement) Workers() []WorkerID {
	return slices.Compact(slices.Sorted(slices.Values(p.Slots)))
}

// ErrNoRoom: the workers offer fewer slots than the job needs.
var ErrNoRoom = errors.New("too few slots")

// Place decides where the subtasks of a job run. A slot stays on the worker that it had
// before, if that worker still offers one. Otherwise it goes to the worker that holds
// most of its state; of equal ones to the one with most free slots. The order of workers
// does not matter. If they offer too few slots, the error wraps ErrNoRoom.
func Place(plan checkpoint.Graph, workers []Worker, before Placement) (Placement, error) {
	need := 0
	for _, o := range plan.Operators {
		need = max(need, o.Parallelism)
	}
	workers = slices.DeleteFunc(slices.Clone(workers), func(w Worker) bool { return w.Leaving || w.Slots <= 0 })
	slices.SortFunc(workers, func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
	free, offered := make([]int, len(workers)), 0
	for i, w := range workers {
		free[i] = w.Slots
		offered += w.Slots
	}
	if offered < need {
		return Placement{}, fmt.Errorf("%w: the job needs %d, and %d workers offer %d", ErrNoRoom, need, len(workers), offered)
	}
	p := Placement{Slots: make([]WorkerID, need)}
	take := func(slot, worker int) {
		p.Slots[slot] = workers[worker].ID
		free[worker]--
	}
	for slot := range min(need, len(before.Slots)) {
		i := slices.IndexFunc(workers, func(w Worker) bool { return w.ID == before.Slots[slot] })
		if i >= 0 && free[i] > 0 {
			take(slot, i)
		}
	}
	for slot := range p.Slots {
		if p.Slots[slot] != "" {
			continue
		}
		best, most := -1, int64(0)
		for i, w := range workers {
			held := heldOf(plan, need, slot, w)
			if free[i] > 0 && (best < 0 || cmp.Or(cmp.Compare(held, most), cmp.Compare(free[i], free[best])) > 0) {
				best, most = i, held
			}
		}
		take(slot, best)
	}
	return p, nil
}

// heldOf is how many bytes a worker holds of the state of a slot's subtasks,
// taking each piece of state for evenly spread over its key groups.
func heldOf(plan checkpoint.Graph, slots, slot int, w Worker) (bytes int64) {
	for _, h := range w.Held {
		o, ok := plan.Operator(h.Operator)
		if !ok || o.Key == "" || h.KeyGroups.Len() == 0 {
			continue
		}
		for i := slot; i < o.Parallelism; i += slots {
			shared := keygroup.Assign(plan.MaxParallelism, o.Parallelism, i).Intersect(h.KeyGroups).Len()
			bytes += h.Bytes / int64(h.KeyGroups.Len()) * int64(shared)
		}
	}
	return bytes
}
