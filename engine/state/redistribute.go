package state

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Redistribute deals the operator states of an operator's old subtasks out to its
// new ones, both by index. Each item of a Split state goes to exactly one subtask
// (I9): to the same one if the parallelism is the same, else round-robin. Every
// new subtask gets every state, sorted by name, though some without items.
func Redistribute(old [][]checkpoint.OperatorState, parallelism int) [][]checkpoint.OperatorState {
	type id struct {
		name           string
		redistribution checkpoint.Redistribution
		codec          string
	}
	held := map[id][][][]byte{} // by old subtask
	var ids []id
	for i, states := range old {
		for _, s := range states {
			d := id{s.Name, s.Redistribution, s.Codec}
			if held[d] == nil {
				held[d] = make([][][]byte, len(old))
				ids = append(ids, d)
			}
			held[d][i] = append(held[d][i], s.Items...)
		}
	}
	slices.SortFunc(ids, func(a, b id) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.redistribution, b.redistribution), strings.Compare(a.codec, b.codec))
	})
	dealt := make([][]checkpoint.OperatorState, parallelism)
	for _, d := range ids {
		for i, items := range deal(d.redistribution, held[d], parallelism) {
			dealt[i] = append(dealt[i], checkpoint.OperatorState{Name: d.name, Redistribution: d.redistribution, Codec: d.codec, Items: items})
		}
	}
	return dealt
}

// deal returns the items of each new subtask.
func deal(r checkpoint.Redistribution, held [][][]byte, parallelism int) [][][]byte {
	dealt := make([][][]byte, parallelism)
	switch r {
	case checkpoint.Union:
		all := slices.Concat(held...)
		for i := range dealt {
			dealt[i] = slices.Clone(all)
		}
	case checkpoint.Broadcast:
		for i := range dealt {
			// A subtask without items counts for nothing: it may not have opened yet.
			for _, items := range held {
				if len(items) > 0 {
					dealt[i] = slices.Clone(items)
					break
				}
			}
		}
	default:
		if len(held) == parallelism {
			return held
		}
		for n, item := range slices.Concat(held...) {
			dealt[n%parallelism] = append(dealt[n%parallelism], item)
		}
	}
	return dealt
}
