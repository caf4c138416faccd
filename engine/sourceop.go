package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// StateSplits is the name of the operator state that holds a source's splits,
// each with its position. Readers of manifests find them by it.
const StateSplits = "_splits"

// Names of the other operator state that the engine itself keeps. No user's state
// can have them: they begin with a byte that such names may not.
const (
	stateRecords   = "_records"
	stateMalformed = "_malformed"
	statePending   = "_pending"
)

// sourceOp reads a source; it is the head of its subtask too.
type sourceOp[T any] struct {
	*opInfo
	source    Source[T]
	reader    Reader[T] // nil: no splits
	scratch   []T
	out       *buffer[T]
	bad       *buffer[error] // what could not be read
	pacer     *pacer
	records   int64 // read, since the job's first start
	malformed int64
}

func buildSource[T any](a *assembly, p *planned, s Source[T]) {
	for i, info := range a.hosted(p) {
		op := &sourceOp[T]{opInfo: info, source: s, pacer: a.pacer, scratch: make([]T, 0, a.cfg.BatchRecords), out: newBuffer[T](a, p, info), bad: newSide[error](a, p, sideMalformed, info)}
		info.sub.source, info.sub.head = true, op
		a.addOperator(p, i, op)
	}
}

func (o *sourceOp[T]) open(ctx context.Context, op opening) (err error) {
	splits := op.splits
	for _, s := range op.states {
		switch s.Name {
		case StateSplits:
			for _, item := range s.Items {
				splits = append(splits, Split(item))
			}
		case stateRecords:
			o.records, err = sumCounts(s)
		case stateMalformed:
			o.malformed, err = sumCounts(s)
		default:
			err = fmt.Errorf("%w: %q", state.ErrUndeclared, s.Name)
		}
		if err != nil {
			return o.fail("open", err)
		}
	}
	if len(splits) == 0 {
		return nil
	}
	o.reader, err = o.source.Open(SourceContext{
		Context: ctx, Operator: o.id, Index: o.index, Parallelism: o.parallelism,
		Malformed: func(err error) {
			o.malformed++
			if o.counters.malformed.Add(1) <= loggedMalformed {
				o.sub.log.Warn("skipped a malformed record", "operator", o.id, "subtask", o.index, "error", err)
			}
			Out[error]{o.bad}.Emit(err)
		},
	}, splits)
	if err != nil {
		return o.fail("open", err)
	}
	return nil
}

// loggedMalformed is how many malformed records of a source are logged; the
// rest is only counted.
const loggedMalformed = 10

func (o *sourceOp[T]) step() (event, error) {
	if o.reader == nil {
		return event{kind: eventEnd}, nil
	}
	want := o.out.size
	if o.pacer != nil {
		var wait time.Duration
		if want, wait = o.pacer.take(time.Now(), want); wait > 0 {
			return event{kind: eventIdle, wait: wait}, nil
		}
	}
	before := o.sub.enter(o.opInfo)
	ctx := o.sub.mailbox.reading()
	records, err := o.reader.Read(ctx, o.scratch[:0:want])
	if o.pacer != nil && len(records) < want {
		o.pacer.back(want - len(records))
	}
	if o.bad.err != nil {
		return event{}, o.bad.err
	}
	if err != nil && err != io.EOF && !(errors.Is(err, context.Canceled) && ctx.Err() != nil && o.sub.ctx.Err() == nil) {
		return event{}, o.fail("read", err)
	}
	if len(records) > 0 {
		o.records += int64(len(records))
		if err := o.out.pass(records); err != nil {
			return event{}, err
		}
	}
	o.sub.leave(before)
	switch {
	case err == io.EOF:
		return event{kind: eventEnd}, nil
	case len(records) < want:
		return event{kind: eventLull}, nil
	}
	return event{kind: eventWorked}, nil
}

func (o *sourceOp[T]) abort(checkpoint.ID) {}
func (o *sourceOp[T]) queued() int         { return 0 }

func (o *sourceOp[T]) finish(context.Context) error { return nil }

func (o *sourceOp[T]) snapshot(context.Context, checkpoint.Barrier) (opSnapshot, error) {
	splits := checkpoint.OperatorState{Name: StateSplits, Redistribution: checkpoint.Split, Codec: "opaque"}
	if o.reader != nil {
		for _, s := range o.reader.Splits() {
			splits.Items = append(splits.Items, append([]byte(nil), s...))
		}
	}
	return opSnapshot{state: []checkpoint.OperatorState{
		countState(stateMalformed, o.malformed), countState(stateRecords, o.records), splits,
	}}, nil
}

func (o *sourceOp[T]) committed(context.Context, checkpoint.Ref) error { return nil }
func (o *sourceOp[T]) aborted(checkpoint.Ref)                          {}
func (o *sourceOp[T]) publish(context.Context) error                   { return nil }

func (o *sourceOp[T]) close() error {
	if o.reader == nil {
		return nil
	}
	return o.reader.Close()
}

// countState is operator state that holds a subtask's share of a count.
func countState(name string, n int64) checkpoint.OperatorState {
	return checkpoint.OperatorState{Name: name, Redistribution: checkpoint.Split, Codec: "uvarint",
		Items: [][]byte{binary.AppendUvarint(nil, uint64(n))}}
}

func sumCounts(s checkpoint.OperatorState) (sum int64, err error) {
	for _, item := range s.Items {
		n, size := binary.Uvarint(item)
		if size != len(item) || int64(n) < 0 {
			return 0, fmt.Errorf("operator state %q: %x is not a count: the checkpoint is damaged", s.Name, item)
		}
		sum += int64(n)
	}
	return sum, nil
}
