package coordinator

import (
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// A checkpoint that timed out says which subtasks it waits for: those that have the
// barrier and do not acknowledge, or that have not reached it, and none behind them.
func TestTimeoutNamesWhomItWaitsFor(t *testing.T) {
	graph := checkpoint.Graph{Job: "j", MaxParallelism: 128, Operators: []checkpoint.GraphOperator{
		{ID: "in", Parallelism: 1},
		{ID: "map", Parallelism: 1, Inputs: []checkpoint.GraphInput{{From: "in"}}},
		{ID: "sum", Parallelism: 6, Inputs: []checkpoint.GraphInput{{From: "map", Exchange: checkpoint.HashBy}}},
		{ID: "out", Parallelism: 1, Inputs: []checkpoint.GraphInput{{From: "sum", Exchange: checkpoint.Rebalance}}},
	}}
	subtasks := []checkpoint.SubtaskID{{Vertex: "in"}, {Vertex: "out"}}
	for i := range 6 {
		subtasks = append(subtasks, checkpoint.SubtaskID{Vertex: "sum", Index: i})
	}
	for name, c := range map[string]struct {
		acked []int
		want  string
	}{
		"the source":           {nil, "waiting for in/0; 0 of 8 subtasks have acknowledged"},
		"some of the operator": {[]int{0, 2, 4, 5, 6}, "waiting for sum/1, sum/5; 5 of 8 subtasks have acknowledged"},
		"all of the operator":  {[]int{0}, "waiting for sum/0, sum/1, sum/2, sum/3, 2 more; 1 of 8 subtasks have acknowledged"},
		"the sink":             {[]int{0, 2, 3, 4, 5, 6, 7}, "waiting for out/0; 7 of 8 subtasks have acknowledged"},
		"the store":            {[]int{0, 1, 2, 3, 4, 5, 6, 7}, "all subtasks have acknowledged, and its manifest is not written"},
	} {
		m := &machine{settings: &settings{}, attempt: attempt{graph: graph, chains: graph.Vertices(), subtasks: map[checkpoint.SubtaskID]int{}}}
		p := pending{acks: make([]*checkpoint.Ack, len(subtasks)), missing: len(subtasks) - len(c.acked)}
		for i, s := range subtasks {
			m.attempt.subtasks[s] = i
		}
		for _, i := range c.acked {
			p.acks[i] = &checkpoint.Ack{}
		}
		if got := m.waitsFor(&p); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A checkpoint completes however long it takes, and timeouts never fail the attempt.
func TestSlowCheckpointsComplete(t *testing.T) {
	for _, takes := range []time.Duration{time.Second, time.Minute, time.Hour, 100 * time.Hour} {
		d := direct(t, func(s *settings) { s.tolerable = 0 })
		d.leadAndStart()
		completed, aborts := 0, 0
		begun := map[checkpoint.ID]time.Time{}
		for steps := 0; completed < 3; steps++ {
			var next event = ticked{}
			after := d.m.wake().Sub(d.now)
			for _, p := range d.m.pending {
				if due := begun[p.ID].Add(takes).Sub(d.now); due <= after {
					next, after = ackOf(p.Ref), due
				}
			}
			out := d.tell(max(after, 0), next)
			for len(out) > 0 {
				a := out[0]
				out = out[1:]
				switch a := a.(type) {
				case trigger:
					begun[a.ID] = d.now
				case writeManifest:
					out = append(out, d.tell(0, manifestWritten{ref: Ref{ID: a.manifest.Checkpoint, Epoch: a.manifest.Epoch}})...)
				case swapHead:
					out = append(out, d.tell(0, swapped{outcome: won, etag: a.head.ids()})...)
				case committed:
					completed++
				case aborted:
					aborts++
				case fail:
					t.Fatalf("checkpoints of %v: the attempt fails: %v", takes, a.err)
				}
			}
			if steps > 10_000 {
				t.Fatalf("checkpoints of %v: %d completed", takes, completed)
			}
		}
		if aborts > 20 {
			t.Errorf("checkpoints of %v: %d were aborted before the third completed", takes, aborts)
		}
	}
}
