package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/internal/optional"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// Job is a graph of operators, joined by typed streams. One goroutine builds it
// with From, Map, KeyBy and so on. It says nothing about where or how it runs; see
// Run. Validate and Run report the mistakes made while building it.
type Job struct {
	// MaxParallelism is the number of key groups, and so the most subtasks that an
	// operator can have. It cannot change once the job has taken a checkpoint. Zero:
	// keygroup.DefaultGroups.
	MaxParallelism int

	name  string
	nodes []*node // inputs before their consumers
	errs  []error
}

// NewJob returns an empty job. The name becomes part of object names; see
// checkpoint.ValidOperatorID for its form.
func NewJob(name string) *Job { return &Job{name: name} }

// Name returns the job's name.
func (j *Job) Name() string { return j.name }

// node is an operator of the graph. Its record types are known only to the
// closures in it.
type node struct {
	job         *Job
	id          checkpoint.OperatorID
	kind        string
	parallelism int // as the option says; zero: see newPlan
	inputs      []edge
	key         string // signature of the key; empty: not keyed
	output      bool   // its stream must be consumed
	consumed    bool
	build       func(a *assembly, p *planned)
	splits      func(ctx context.Context, parallelism int) ([]Split, error) // of a source
	overlooked  func(ctx context.Context, splits []Split) ([]string, error) // of a source; nil: it does not tell
	recover     func(ctx context.Context, r Recovery) error                 // of a sink
	places      []Place                                                     // to which a sink writes
	check       func() error                                                // mistakes of the user's types; nil: it has none
}

// edge is one stream into an operator.
type edge struct {
	from     *node
	side     string // the side output of from; empty: its stream
	exchange exchangeKind
}

// sideMalformed is the side output of a source with what could not be read.
const sideMalformed = "malformed"

// exchangeKind says to which subtasks of its consumer a record goes.
type exchangeKind uint8

const (
	forward   exchangeKind = iota // to the one of the same index
	rebalance                     // round-robin
	broadcast                     // to all
	hashed                        // to the owner of the key
)

// Option changes one operator.
type Option func(*node)

// Parallelism sets the number of an operator's subtasks. Without it, sources,
// keyed operators and those behind Rebalance or Broadcast have Config.Parallelism;
// all others have the parallelism of their widest input.
func Parallelism(n int) Option {
	return func(o *node) {
		if n < 1 {
			o.job.mistake(o.id, "parallelism %d: it must be at least 1", n)
			return
		}
		o.parallelism = n
	}
}

func (j *Job) mistake(id checkpoint.OperatorID, format string, args ...any) {
	j.errs = append(j.errs, fmt.Errorf("operator %q: %w", id, fmt.Errorf(format, args...)))
}

// add puts an operator into the graph.
func (j *Job) add(name, kind string, inputs []edge, opts []Option) *node {
	n := &node{job: j, id: checkpoint.OperatorID(name), kind: kind, inputs: inputs, output: kind != kindSink}
	if !checkpoint.ValidOperatorID(n.id) {
		j.mistake(n.id, "bad name: give the %s 1 to %d of a-z, 0-9, '_' and '-', a letter or digit first", kind, checkpoint.MaxOperatorID)
	} else if slices.ContainsFunc(j.nodes, func(o *node) bool { return o.id == n.id }) {
		j.mistake(n.id, "the name is taken by another operator: state is found by it, so each needs its own")
	}
	for _, in := range inputs {
		in.from.consumed = in.from.consumed || in.side == ""
		if in.from.job != j {
			j.mistake(n.id, "its input %q belongs to another job", in.from.id)
		}
	}
	if kind != kindSource && len(inputs) == 0 {
		j.mistake(n.id, "it has no input: the stream was not made by this package's functions")
	}
	for _, o := range opts {
		o(n)
	}
	j.nodes = append(j.nodes, n)
	return n
}

// The kinds of operators, as they appear in checkpoint.GraphOperator.Type.
const (
	kindSource  = "source"
	kindMap     = "map"
	kindFlatMap = "flatmap"
	kindFilter  = "filter"
	kindProcess = "process"
	kindSink    = "sink"
)

// Validate reports every mistake in the job, each with the operator's name. It asks
// sources and sinks that are a Validator, and makes and opens a processor of each
// keyed operator, once in the life of the job; see Processor.
func (j *Job) Validate() error {
	errs := slices.Clone(j.errs)
	if !checkpoint.ValidOperatorID(checkpoint.OperatorID(j.name)) {
		errs = append(errs, fmt.Errorf("job name %q: use 1 to %d of a-z, 0-9, '_' and '-', a letter or digit first", j.name, checkpoint.MaxOperatorID))
	}
	if m := j.groups(); m < 1 || m > keygroup.MaxGroups {
		errs = append(errs, fmt.Errorf("max parallelism %d: it must be 1 to %d", m, keygroup.MaxGroups))
	}
	if len(j.nodes) == 0 {
		errs = append(errs, errors.New("the job is empty: begin with From"))
	}
	for _, n := range j.nodes {
		if n.output && !n.consumed {
			errs = append(errs, fmt.Errorf("operator %q: nothing consumes its stream: send it To a sink (Discard for none)", n.id))
		}
		if n.parallelism > j.groups() {
			errs = append(errs, fmt.Errorf("operator %q: parallelism %d exceeds the job's max parallelism %d", n.id, n.parallelism, j.groups()))
		}
		if n.check != nil {
			if err := n.check(); err != nil {
				errs = append(errs, fmt.Errorf("operator %q: %w", n.id, err))
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return Permanent(fmt.Errorf("job %q: %w", j.name, errors.Join(errs...)))
}

func (j *Job) groups() int {
	if j.MaxParallelism == 0 {
		return keygroup.DefaultGroups
	}
	return j.MaxParallelism
}

var graphExchange = [...]checkpoint.Exchange{
	forward: checkpoint.Forward, rebalance: checkpoint.Rebalance, broadcast: checkpoint.ToAll, hashed: checkpoint.HashBy,
}

// Graph describes the job as it runs with the parallelism.
func (j *Job) Graph(parallelism int) checkpoint.Graph {
	g := checkpoint.Graph{Job: j.name, MaxParallelism: j.groups()}
	for _, p := range newPlan(j, parallelism).nodes {
		o := checkpoint.GraphOperator{ID: p.id, Type: p.kind, Parallelism: p.parallelism, Key: p.key}
		for i, in := range p.inputs {
			o.Inputs = append(o.Inputs, checkpoint.GraphInput{From: in.from.id, Side: in.side, Exchange: graphExchange[p.exchanges[i]]})
		}
		g.Operators = append(g.Operators, o)
	}
	return g
}

// Stream is a stream of records of a job. It is a value that never changes, and it
// may have several consumers, each of which gets every record.
type Stream[T any] struct {
	job  *Job
	from []edge
}

// From begins a stream of the records that a source reads.
func From[T any](j *Job, name string, s Source[T], opts ...Option) Stream[T] {
	n := j.add(name, kindSource, nil, opts)
	if s == nil {
		j.mistake(n.id, "the source is nil")
	} else {
		n.check = func() error { return checkEnd(s) }
	}
	n.build = func(a *assembly, p *planned) { buildSource(a, p, s) }
	n.splits = func(ctx context.Context, parallelism int) ([]Split, error) { return s.Splits(ctx, parallelism) }
	if o, has, err := optional.Of[Overlooker](s); err != nil {
		j.mistake(n.id, "%w", err)
	} else if has {
		n.overlooked = o.Overlooked
	}
	if q, has, err := optional.Of[Quarantiner](s); err != nil {
		j.mistake(n.id, "%w", err)
	} else if has {
		if sink := q.Quarantine(); sink != nil {
			bad := Stream[error]{j, []edge{{from: n, side: sideMalformed}}}
			bad.To(name+"-"+sideMalformed, sink)
		}
	}
	return Stream[T]{j, []edge{{from: n}}}
}

// Map applies f to every record. f is called by many goroutines at once.
func Map[T, U any](s Stream[T], name string, f func(T) U, opts ...Option) Stream[U] {
	n := s.derive(name, kindMap, f == nil, opts)
	n.build = func(a *assembly, p *planned) {
		buildStateless(a, p, func(v T, out Out[U]) { out.Emit(f(v)) })
	}
	return Stream[U]{s.job, []edge{{from: n}}}
}

// FlatMap calls f for every record; f may emit any number of results. f is called
// by many goroutines at once.
func FlatMap[T, U any](s Stream[T], name string, f func(T, Out[U]), opts ...Option) Stream[U] {
	n := s.derive(name, kindFlatMap, f == nil, opts)
	n.build = func(a *assembly, p *planned) { buildStateless(a, p, f) }
	return Stream[U]{s.job, []edge{{from: n}}}
}

// Filter keeps the records for which f is true. f is called by many goroutines
// at once.
func Filter[T any](s Stream[T], name string, f func(T) bool, opts ...Option) Stream[T] {
	n := s.derive(name, kindFilter, f == nil, opts)
	n.build = func(a *assembly, p *planned) {
		buildStateless(a, p, func(v T, out Out[T]) {
			if f(v) {
				out.Emit(v)
			}
		})
	}
	return Stream[T]{s.job, []edge{{from: n}}}
}

// derive adds an operator that reads s.
func (s Stream[T]) derive(name, kind string, noFunc bool, opts []Option) *node {
	j := s.job
	if j == nil { // a zero Stream: the mistake is reported by a job of its own
		j = NewJob(name)
	}
	n := j.add(name, kind, s.from, opts)
	if noFunc {
		j.mistake(n.id, "the function is nil")
	}
	return n
}

// Union merges streams. The records of each keep their order among themselves.
func Union[T any](a Stream[T], more ...Stream[T]) Stream[T] {
	u := Stream[T]{a.job, slices.Clone(a.from)}
	for _, m := range more {
		u.from = append(u.from, m.from...)
	}
	return u
}

// Rebalance deals the records out evenly to all subtasks of the consumer, a
// batch at a time.
func (s Stream[T]) Rebalance() Stream[T] { return s.exchanged(rebalance) }

// Broadcast gives every record to every subtask of the consumer. Subtasks share
// what a record points to, so they must not change it.
func (s Stream[T]) Broadcast() Stream[T] { return s.exchanged(broadcast) }

func (s Stream[T]) exchanged(k exchangeKind) Stream[T] {
	from := slices.Clone(s.from)
	for i := range from {
		from[i].exchange = k
	}
	return Stream[T]{s.job, from}
}

// KeyedStream is a stream with a key. All records of a key go to the same subtask,
// those of each producer in their order.
type KeyedStream[K comparable, T any] struct {
	stream Stream[T]
	key    func(T) K
	codec  state.KeyCodec[K]
	err    error
}

// KeyBy gives a stream a key. key is called once for each record, by many
// goroutines at once. It must depend on the record alone.
func KeyBy[K comparable, T any](s Stream[T], key func(T) K) KeyedStream[K, T] {
	ks := KeyedStream[K, T]{stream: s.exchanged(hashed), key: key}
	ks.codec, ks.err = state.KeyCodecOf[K]()
	switch {
	case key == nil:
		ks.err = errors.New("the key function is nil")
	case slices.ContainsFunc(s.from, func(e edge) bool { return e.exchange == broadcast }):
		ks.err = errors.New("KeyBy sends a record to one subtask, Broadcast to all: leave one of them out")
	}
	return ks
}

// Process runs a Processor over a keyed stream. make is called for each subtask of
// each attempt and by Job.Validate, and must return a new P each time. P is the
// processor's own type, or Processor itself; all types follow from the arguments.
func Process[K comparable, T, U any, P Processor[K, T, U]](ks KeyedStream[K, T], name string, make func() P, opts ...Option) Stream[U] {
	n := ks.stream.derive(name, kindProcess, make == nil, opts)
	n.key = ks.codec.Signature()
	newProcessor := func() Processor[K, T, U] { return make() }
	if ks.err != nil {
		n.job.mistake(n.id, "key: %w", ks.err)
	} else if make != nil {
		n.check = sync.OnceValue(func() error { return checkProcessor(n.id, ks.codec, newProcessor) })
	}
	n.build = func(a *assembly, p *planned) { buildProcess(a, p, ks.key, ks.codec, newProcessor) }
	return Stream[U]{ks.stream.job, []edge{{from: n}}}
}

// To sends a stream to a sink.
func (s Stream[T]) To(name string, sink Sink[T], opts ...Option) {
	n := s.derive(name, kindSink, false, opts)
	if sink == nil {
		n.job.mistake(n.id, "the sink is nil")
	} else {
		n.check = func() error { return checkEnd(sink) }
		placed, has, err := optional.Of[Placed](sink)
		switch {
		case err != nil:
			n.job.mistake(n.id, "%w", err)
		case has:
			n.places = placed.Places()
		}
	}
	n.build = func(a *assembly, p *planned) { buildSink(a, p, sink) }
	n.recover = func(ctx context.Context, r Recovery) error { return sink.Recover(ctx, r) }
}
