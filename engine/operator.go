package engine

import (
	"context"
	"fmt"
	"runtime/pprof"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// operator is one operator of one subtask, without its types. All methods
// belong to the subtask's goroutine.
type operator interface {
	info() *opInfo
	open(ctx context.Context, o opening) error
	// finish is called when all input has ended and been processed.
	finish(ctx context.Context) error
	// snapshot fixes the operator's state as it is.
	snapshot(ctx context.Context, b checkpoint.Barrier) (opSnapshot, error)
	committed(ctx context.Context, r checkpoint.Ref) error
	aborted(r checkpoint.Ref)
	// publish makes all output visible, where no checkpoints are taken.
	publish(ctx context.Context) error
	// close frees everything. It is called also if open failed or was not called.
	close() error
}

// opening is what an operator's subtask starts from.
type opening struct {
	job       Identity
	execution checkpoint.Execution
	restored  checkpoint.ID
	splits    []Split // of a source that starts from nothing
	states    []checkpoint.OperatorState
	handles   []checkpoint.StateHandle
	drop      []string // states of the checkpoint that the operator no longer has
	groups    keygroup.Range
	backends  state.Factory
	clock     func() time.Time // of values that expire
}

// opSnapshot is an operator's part of a checkpoint; pending, if there is any,
// has yet to be persisted.
type opSnapshot struct {
	state   []checkpoint.OperatorState
	pending state.Pending
}

// phase is what a subtask does, for profiles.
type phase uint8

const (
	phaseProcess phase = iota
	phaseAlign
	phaseSnapshot
	phasePersist
	phases
)

var phaseNames = [phases]string{"process", "align", "snapshot", "persist"}

// opInfo is what is known of an operator's subtask without its types.
type opInfo struct {
	id          checkpoint.OperatorID
	index       int
	parallelism int
	sub         *subtask
	counters    *counters
	labels      [phases]context.Context // nil: goroutines are not labelled
	doing       func() string           // what the user's code was called for; nil: nothing is known
}

func newOpInfo(p *planned, sub *subtask, cfg *Config, attempt checkpoint.Attempt) *opInfo {
	o := &opInfo{id: p.id, index: sub.id.Index, parallelism: p.parallelism, sub: sub, counters: cfg.Metrics.operator(int(attempt), p.id, sub.id.Index)}
	if cfg.ProfileLabels {
		for ph := range phases {
			o.labels[ph] = pprof.WithLabels(context.Background(), pprof.Labels("operator", string(o.id), "phase", phaseNames[ph]))
		}
	}
	return o
}

func (o *opInfo) info() *opInfo { return o }

// fail says where an error came from.
func (o *opInfo) fail(op string, err error) error {
	return fmt.Errorf("operator %q subtask %d: %s: %w", o.id, o.index, op, err)
}

// stateless is an operator with nothing to remember, finish or publish.
type stateless struct{ *opInfo }

func (stateless) open(context.Context, opening) error             { return nil }
func (stateless) finish(context.Context) error                    { return nil }
func (stateless) committed(context.Context, checkpoint.Ref) error { return nil }
func (stateless) aborted(checkpoint.Ref)                          {}
func (stateless) publish(context.Context) error                   { return nil }
func (stateless) close() error                                    { return nil }
func (stateless) snapshot(context.Context, checkpoint.Barrier) (opSnapshot, error) {
	return opSnapshot{}, nil
}

// statelessOp applies a function to each record.
type statelessOp[T, U any] struct {
	stateless
	f   func(T, Out[U])
	out *buffer[U]
}

func buildStateless[T, U any](a *assembly, p *planned, f func(T, Out[U])) {
	ops := make([]target[T], p.parallelism)
	for i, info := range a.hosted(p) {
		op := &statelessOp[T, U]{stateless{info}, f, newBuffer[U](a, p, info)}
		a.addOperator(p, i, op)
		ops[i] = op
	}
	connect(a, p, ops)
}

func (o *statelessOp[T, U]) push(records []T) error {
	before := o.sub.enter(o.opInfo)
	o.counters.in.Add(int64(len(records)))
	out := Out[U]{o.out}
	for i := range records {
		o.f(records[i], out)
	}
	o.sub.leave(before)
	return o.out.err
}
