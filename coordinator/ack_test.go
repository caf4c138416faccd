package coordinator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// I1, I3: an acknowledgement that leaves out an operator of the subtask, or
// names another, is not committed: what is left out would restore as empty.
func TestAcknowledgementOfOtherOperatorsAborts(t *testing.T) {
	graph := checkpoint.Graph{Operators: []checkpoint.GraphOperator{
		{ID: "in", Parallelism: 2},
		{ID: "map", Parallelism: 2, Inputs: []checkpoint.GraphInput{{From: "in"}}},
		{ID: "sum", Parallelism: 2, Inputs: []checkpoint.GraphInput{{From: "map", Exchange: checkpoint.HashBy}}},
		{ID: "out", Parallelism: 2, Inputs: []checkpoint.GraphInput{{From: "sum"}}},
	}}
	of := func(index int, ids ...checkpoint.OperatorID) (all []checkpoint.OperatorSnapshot) {
		for _, id := range ids {
			all = append(all, checkpoint.OperatorSnapshot{Operator: id, Index: index})
		}
		return all
	}
	for name, c := range map[string]struct {
		operators []checkpoint.OperatorSnapshot
		good      bool
	}{
		"its own":      {of(1, "in", "map"), true},
		"none":         {nil, false},
		"one left out": {of(1, "in"), false},
		"one too many": {of(1, "in", "map", "sum"), false},
		"one twice":    {of(1, "in", "in"), false},
		"another's":    {of(1, "sum", "out"), false},
		"other index":  {of(0, "in", "map"), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := direct(t, nil)
			d.tell(0, opened{})
			d.tell(0, headRead{absent: true})
			d.tell(0, probed{})
			d.tell(0, swapped{outcome: won, etag: "e1"})
			d.tell(0, attached{graph, 1})
			x := checkpoint.Execution{Epoch: 1, Attempt: 1}
			subtask := checkpoint.SubtaskID{Vertex: "in", Index: 1}
			d.tell(0, started{x, []checkpoint.SubtaskID{subtask}})
			d.tell(0, asked{})
			var writes, aborts bool
			for _, a := range d.tell(time.Second, acked{checkpoint.Ack{Checkpoint: 1, Execution: x, Subtask: subtask, Operators: c.operators}}) {
				switch a := a.(type) {
				case writeManifest:
					writes = true
				case ended:
					aborts = a.Cause == string(byAck)
				}
			}
			if writes != c.good || aborts == c.good {
				t.Errorf("manifest written: %v, aborted: %v\n%s", writes, aborts, &d.trace)
			}
		})
	}
}

// I1: an object of the base is the same where size and checksum are. How much of
// it a handle uses does not make it another.
func TestReusedObjectIsComparedByContent(t *testing.T) {
	one, two := Ref{ID: 1, Epoch: 1}, Ref{ID: 2, Epoch: 1}
	for name, c := range map[string]struct {
		change func(*incremental.Object)
		good   bool
	}{
		"same":     {func(*incremental.Object) {}, true},
		"adopted":  {func(o *incremental.Object) { o.Adopted = 1 }, true},
		"size":     {func(o *incremental.Object) { o.Size++ }, false},
		"checksum": {func(o *incremental.Object) { o.CRC32C++ }, false},
	} {
		d := direct(t, func(s *settings) { s.interval = 0 })
		d.leadAndStart()
		d.tell(0, asked{})
		d.tell(0, ackOf(one))
		d.tell(0, manifestWritten{ref: one})
		d.tell(0, swapped{outcome: won, etag: "e2"})
		d.tell(0, asked{})
		o := object(one)
		c.change(&o)
		writes := slices.ContainsFunc(d.tell(0, ackOf(two, o)), func(a action) bool { _, is := a.(writeManifest); return is })
		if writes != c.good {
			t.Errorf("%s: %v", name, fmt.Sprint(&d.trace))
		}
	}
}
