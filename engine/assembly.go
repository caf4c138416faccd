package engine

import (
	"context"
	"iter"
	"log/slog"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// assembly puts a host's subtasks of one execution together. What is listed by
// index has nil for the subtasks of other hosts.
type assembly struct {
	ctx       context.Context // the execution's
	execution checkpoint.Execution
	plan      *plan
	cfg       *Config
	groups    int
	pacer     *pacer // nil: no limit
	owner     owner
	log       *slog.Logger
	inboxes   *inboxes // of all hosts
	hosts     func(checkpoint.SubtaskID) bool
	subtasks  []*subtask
	vertices  map[*planned][]*subtask // by index
	outputs   map[output][]any        // *buffer[T] of each subtask, by index
}

// output is a stream that an operator emits: its own, or a side output.
type output struct {
	from *planned
	side string
}

// build makes the host's subtasks. Nothing runs or is opened yet.
func (a *assembly) build() {
	a.vertices, a.outputs = map[*planned][]*subtask{}, map[output][]any{}
	for _, p := range a.plan.nodes {
		if p.head == p {
			a.vertices[p] = make([]*subtask, p.parallelism)
			for i := range p.parallelism {
				if id := p.subtask(i); a.hosts(id) {
					s := newSubtask(a.ctx, id, a.owner, a.log, a.inboxes.of(id).wake)
					s.waits = a.cfg.Metrics.subtask(int(a.execution.Attempt), id)
					a.vertices[p][i] = s
					a.subtasks = append(a.subtasks, s)
				}
			}
		}
		p.build(a, p)
	}
}

// hosted makes the opInfo of each of p's subtasks on this host.
func (a *assembly) hosted(p *planned) iter.Seq2[int, *opInfo] {
	return func(yield func(int, *opInfo) bool) {
		for i, s := range a.vertices[p.head] {
			if s != nil && !yield(i, newOpInfo(p, s, a.cfg, a.execution.Attempt)) {
				return
			}
		}
	}
}

func (a *assembly) addOperator(p *planned, index int, op operator) {
	s := a.vertices[p.head][index]
	s.ops = append(s.ops, op)
	s.nodes = append(s.nodes, p)
}

// newBuffer makes the output of one subtask of p.
func newBuffer[U any](a *assembly, p *planned, info *opInfo) *buffer[U] {
	return newOutput[U](a, output{p, ""}, info, a.cfg.BatchRecords)
}

// newSide makes a side output of one subtask of p. Each record is passed on at once:
// it may be large, and is not the side's to keep.
func newSide[U any](a *assembly, p *planned, side string, info *opInfo) *buffer[U] {
	own := *info
	own.counters = &counters{} // the operator's count its stream
	return newOutput[U](a, output{p, side}, &own, 1)
}

func newOutput[U any](a *assembly, o output, info *opInfo, most int) *buffer[U] {
	b := &buffer[U]{op: info, records: make([]U, 0, most), size: 1}
	if a.outputs[o] == nil {
		a.outputs[o] = make([]any, o.from.parallelism)
	}
	a.outputs[o][info.index] = b
	info.sub.buffers = append(info.sub.buffers, b)
	return b
}

// input is the stream that p's input n reads.
func (a *assembly) input(p *planned, n int) []any {
	return a.outputs[output{a.plan.of[p.inputs[n].from], p.inputs[n].side}]
}

// connect leads p's inputs, which are not keyed, to its subtasks' operators.
func connect[T any](a *assembly, p *planned, ops []target[T]) {
	if p.head != p { // chained
		for i, up := range a.input(p, 0) {
			if b, ok := up.(*buffer[T]); ok {
				b.targets = append(b.targets, ops[i])
			}
		}
		return
	}
	gates := gatesOf[struct{}, T](a, p)
	for i, g := range gates {
		if s := a.vertices[p][i]; s != nil {
			s.head = &gateHead[struct{}, T]{g, func(b *batch[struct{}, T]) error { return ops[i].push(b.records) }}
		}
	}
	for n := range p.inputs {
		for i, b := range producers[T](a, p, n) {
			var ps ports[struct{}, T]
			for j, g := range gates {
				if p.exchanges[n] != forward || i == j {
					ps = append(ps, &port[struct{}, T]{op: b.op, gate: g, channel: a.plan.channel(p, n, i)})
				}
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
	gates := gatesOf[K, T](a, p)
	for i, g := range gates {
		if s := a.vertices[p][i]; s != nil {
			s.head = &gateHead[K, T]{g, process[i]}
		}
	}
	owners := ownersOf(a.groups, p.parallelism)
	for n := range p.inputs {
		for i, b := range producers[T](a, p, n) {
			var ps ports[K, T]
			for _, g := range gates {
				ps = append(ps, &port[K, T]{op: b.op, keyed: true, gate: g, channel: a.plan.channel(p, n, i)})
			}
			blame := *b.op
			blame.id = p.id
			x := &hashExchange[K, T]{ports: ps, consumer: &blame, key: key, codec: codec, groups: a.groups, owners: owners}
			b.targets, b.op.sub.exchanges = append(b.targets, x), append(b.op.sub.exchanges, x)
		}
	}
}

// producers are the outputs on this host that p's input n reads, by index.
func producers[T any](a *assembly, p *planned, n int) iter.Seq2[int, *buffer[T]] {
	return func(yield func(int, *buffer[T]) bool) {
		for i, up := range a.input(p, n) {
			if b, ok := up.(*buffer[T]); ok && !yield(i, b) {
				return
			}
		}
	}
}

// gatesOf returns the input gates of all of p's subtasks, by index.
func gatesOf[K comparable, T any](a *assembly, p *planned) []*gate[K, T] {
	gates := make([]*gate[K, T], p.parallelism)
	for i := range gates {
		gates[i] = gateOf(a.inboxes, p.subtask(i), func(wake chan<- struct{}) *gate[K, T] {
			return newGate[K, T](a.cfg.Mode, a.plan.channels(p), a.cfg.QueueBatches, a.cfg.BatchRecords, wake)
		})
	}
	return gates
}
