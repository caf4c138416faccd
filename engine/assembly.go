package engine

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// assembly puts the subtasks of one attempt together.
type assembly struct {
	ctx      context.Context // the attempt's
	plan     *plan
	cfg      *Config
	groups   int
	pacer    *pacer // nil: no limit
	attempt  *attempt
	subtasks []*subtask
	vertices map[*planned][]*subtask
	outputs  map[*planned][]any // *buffer[T] of each subtask
}

// build makes all subtasks. Nothing runs or is opened yet.
func (a *assembly) build() {
	a.vertices, a.outputs = map[*planned][]*subtask{}, map[*planned][]any{}
	for _, p := range a.plan.nodes {
		if p.head == p {
			for i := range p.parallelism {
				s := newSubtask(a.ctx, checkpoint.SubtaskID{Vertex: p.id, Index: i}, a.attempt)
				a.vertices[p] = append(a.vertices[p], s)
				a.subtasks = append(a.subtasks, s)
			}
		}
		p.build(a, p)
	}
}

// infos makes the opInfo of each of p's subtasks.
func (a *assembly) infos(p *planned) []*opInfo {
	infos := make([]*opInfo, p.parallelism)
	for i, s := range a.vertices[p.head] {
		infos[i] = newOpInfo(p, s, a.cfg)
	}
	return infos
}

func (a *assembly) addOperator(p *planned, index int, op operator) {
	s := a.vertices[p.head][index]
	s.ops = append(s.ops, op)
	s.nodes = append(s.nodes, p)
}

// newBuffer makes the output of one subtask of p; they are made by index.
func newBuffer[U any](a *assembly, p *planned, info *opInfo) *buffer[U] {
	b := &buffer[U]{op: info, records: make([]U, 0, a.cfg.BatchRecords), size: a.cfg.BatchRecords}
	a.outputs[p] = append(a.outputs[p], b)
	info.sub.buffers = append(info.sub.buffers, b)
	return b
}

// connect leads p's inputs, which are not keyed, to its subtasks' operators.
func connect[T any](a *assembly, p *planned, ops []target[T]) {
	if p.head != p { // chained
		for i, up := range a.outputs[a.plan.of[p.inputs[0].from]] {
			b := up.(*buffer[T])
			b.targets = append(b.targets, ops[i])
		}
		return
	}
	gates := newGates[struct{}, T](a, p)
	for i, g := range gates {
		s := a.vertices[p][i]
		s.head = &gateHead[struct{}, T]{g, func(b *batch[struct{}, T]) error { return ops[i].push(b.records) }}
	}
	channel := make([]int, len(gates)) // the next one of each gate
	for n, in := range p.inputs {
		for i, up := range a.outputs[a.plan.of[in.from]] {
			b := up.(*buffer[T])
			var ps ports[struct{}, T]
			for j, g := range gates {
				if p.exchanges[n] == forward && i != j {
					continue
				}
				ps = append(ps, &port[struct{}, T]{op: b.op, size: a.cfg.BatchRecords, gate: g, channel: channel[j]})
				channel[j]++
			}
			if p.exchanges[n] == broadcast {
				x := &broadcastExchange[T]{ps}
				b.targets, b.op.sub.exchanges = append(b.targets, x), append(b.op.sub.exchanges, x)
			} else {
				x := &dealExchange[T]{ports: ps, next: i % len(ps)}
				b.targets, b.op.sub.exchanges = append(b.targets, x), append(b.op.sub.exchanges, x)
			}
		}
	}
}

// connectKeyed leads p's keyed input to its subtasks' operators.
func connectKeyed[K comparable, T any](a *assembly, p *planned, key func(T) K, codec state.KeyCodec[K], process []func(*batch[K, T]) error) {
	gates := newGates[K, T](a, p)
	for i, g := range gates {
		a.vertices[p][i].head = &gateHead[K, T]{g, process[i]}
	}
	owners := ownersOf(a.groups, p.parallelism)
	channel := 0
	for _, in := range p.inputs {
		for _, up := range a.outputs[a.plan.of[in.from]] {
			b := up.(*buffer[T])
			var ps ports[K, T]
			for _, g := range gates {
				ps = append(ps, &port[K, T]{op: b.op, size: a.cfg.BatchRecords, keyed: true, gate: g, channel: channel})
			}
			channel++
			blame := *b.op
			blame.id = p.id
			x := &hashExchange[K, T]{ports: ps, consumer: &blame, key: key, codec: codec, groups: a.groups, owners: owners}
			b.targets, b.op.sub.exchanges = append(b.targets, x), append(b.op.sub.exchanges, x)
		}
	}
}

func newGates[K comparable, T any](a *assembly, p *planned) []*gate[K, T] {
	channels := 0
	for n, in := range p.inputs {
		if p.exchanges[n] == forward {
			channels++
		} else {
			channels += a.plan.of[in.from].parallelism
		}
	}
	gates := make([]*gate[K, T], p.parallelism)
	for i := range gates {
		gates[i] = newGate[K, T](a.cfg.Mode, channels, a.cfg.QueueBatches, a.vertices[p][i].wake)
	}
	return gates
}
