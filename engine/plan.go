package engine

import "github.com/tidemark/tidemark/engine/checkpoint"

// plan is a job at one parallelism: how wide each operator is, and which of
// them share a goroutine. A vertex is a chain of operators that need no
// exchange between them, named for the first.
type plan struct {
	nodes []*planned
	of    map[*node]*planned
}

// planned is an operator in a plan.
type planned struct {
	*node
	parallelism int
	exchanges   []exchangeKind // of each input
	head        *planned       // the first operator of its vertex
}

// newPlan decides widths, exchanges and chains.
func newPlan(j *Job, parallelism int) *plan {
	pl := &plan{of: map[*node]*planned{}}
	for _, n := range j.nodes {
		p := &planned{node: n, parallelism: n.parallelism}
		p.head = p
		if p.parallelism == 0 {
			p.parallelism = pl.width(n, parallelism)
		}
		for _, in := range n.inputs {
			up := pl.of[in.from]
			x := in.exchange
			if x == forward && (up == nil || up.parallelism != p.parallelism) {
				x = rebalance
			}
			p.exchanges = append(p.exchanges, x)
			if x == forward && len(n.inputs) == 1 {
				p.head = up.head
			}
		}
		pl.nodes = append(pl.nodes, p)
		pl.of[n] = p
	}
	return pl
}

// width is the parallelism of an operator that does not say its own.
func (pl *plan) width(n *node, parallelism int) int {
	if len(n.inputs) == 0 {
		return parallelism
	}
	widest := 0
	for _, in := range n.inputs {
		if in.exchange != forward {
			return parallelism
		}
		if up := pl.of[in.from]; up != nil {
			widest = max(widest, up.parallelism)
		}
	}
	return max(widest, 1)
}

// subtask names p's subtask of an index.
func (p *planned) subtask(index int) checkpoint.SubtaskID {
	return checkpoint.SubtaskID{Vertex: p.head.id, Index: index}
}

// channel is the channel of p's gates that producer i of input n sends into: a
// function of the plan, so that all hosts number alike.
func (pl *plan) channel(p *planned, n, i int) int {
	if p.exchanges[n] == forward {
		i = 0
	}
	return pl.channelsBefore(p, n) + i
}

// channels is the number of channels of each of p's gates.
func (pl *plan) channels(p *planned) int { return pl.channelsBefore(p, len(p.inputs)) }

// channelsBefore is the number of channels of p's first n inputs.
func (pl *plan) channelsBefore(p *planned, n int) (channels int) {
	for m := range n {
		if p.exchanges[m] == forward {
			channels++
		} else {
			channels += pl.of[p.inputs[m].from].parallelism
		}
	}
	return channels
}
