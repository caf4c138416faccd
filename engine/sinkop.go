package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// sinkOp writes to a sink. What a checkpoint prepared is held, and is part of
// every snapshot, until it has been published.
type sinkOp[T any] struct {
	*opInfo
	sink     Sink[T]
	writer   Writer[T]
	registry *state.Registry
	held     []prepared // by checkpoint; all of the attempt's epoch
	records  int64      // written, since the job's first start
}

// prepared is output that is durable and not yet visible.
type prepared struct {
	ref     checkpoint.Ref
	pending []byte
}

func buildSink[T any](a *assembly, p *planned, s Sink[T]) {
	ops := make([]target[T], p.parallelism)
	for i, info := range a.hosted(p) {
		op := &sinkOp[T]{opInfo: info, sink: s}
		a.addOperator(p, i, op)
		ops[i] = op
	}
	connect(a, p, ops)
}

func (o *sinkOp[T]) open(ctx context.Context, op opening) (err error) {
	// What was restored pending has been published by Recover.
	states := slices.DeleteFunc(slices.Clone(op.states), func(s checkpoint.OperatorState) bool {
		return s.Name == statePending || s.Name == stateRecords
	})
	for _, s := range op.states {
		if s.Name == stateRecords {
			if o.records, err = sumCounts(s); err != nil {
				return o.fail("open", err)
			}
		}
	}
	o.registry = state.NewRegistry(nil, "", states)
	o.registry.Drop(op.drop)
	o.writer, err = o.sink.Open(SinkContext{
		Context: ctx, Operator: o.id, Index: o.index, Parallelism: o.parallelism,
		Job: op.job, Epoch: op.execution.Epoch, Attempt: op.execution.Attempt, States: o.registry,
	})
	if err == nil {
		err = o.registry.Err()
	}
	if err != nil {
		return o.fail("open", err)
	}
	return nil
}

func (o *sinkOp[T]) push(records []T) error {
	before := o.sub.enter(o.opInfo)
	o.counters.in.Add(int64(len(records)))
	o.records += int64(len(records))
	if err := o.writer.Write(o.sub.ctx, records); err != nil {
		return o.fail("write", err)
	}
	o.sub.leave(before)
	return nil
}

func (o *sinkOp[T]) finish(context.Context) error { return nil }

func (o *sinkOp[T]) snapshot(ctx context.Context, b checkpoint.Barrier) (opSnapshot, error) {
	pending, err := o.writer.Prepare(ctx, b.ID)
	if err != nil {
		return opSnapshot{}, o.fail("prepare", err)
	}
	if pending != nil {
		o.held = append(o.held, prepared{b.Ref(), pending})
	}
	all := append(o.registry.OperatorStates(), countState(stateRecords, o.records), heldState(o.held))
	return opSnapshot{state: all}, nil
}

// committed publishes what is held for r and for the checkpoints before it. An
// epoch that is over may have committed an ID that this one uses again: its
// notice says nothing of what is held here (I15).
func (o *sinkOp[T]) committed(ctx context.Context, r checkpoint.Ref) error {
	n := 0
	var pending [][]byte
	for n < len(o.held) && o.held[n].ref.Epoch == r.Epoch && o.held[n].ref.ID <= r.ID {
		pending = append(pending, o.held[n].pending)
		n++
	}
	if n == 0 {
		return nil
	}
	if err := o.publishAll(ctx, pending); err != nil {
		return err
	}
	o.held = slices.Delete(o.held, 0, n)
	return nil
}

// publishTries and publishPause bound how a failing Publish is retried; the
// pause doubles each time.
const (
	publishTries = 4
	publishPause = 100 * time.Millisecond
)

func (o *sinkOp[T]) publishAll(ctx context.Context, pending [][]byte) error {
	pause := publishPause
	for try := 1; ; try++ {
		err := o.writer.Publish(ctx, pending)
		switch {
		case err == nil:
			return nil
		case try == publishTries || ctx.Err() != nil || IsPermanent(err):
			return o.fail("publish", err)
		}
		o.sub.log.Warn("publishing failed, trying again", "operator", o.id, "subtask", o.index, "error", err)
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return o.fail("publish", context.Cause(ctx))
		}
	}
}

func (o *sinkOp[T]) aborted(checkpoint.Ref) {}

func (o *sinkOp[T]) publish(ctx context.Context) error {
	pending, err := o.writer.Prepare(ctx, 0)
	if err != nil {
		return o.fail("prepare", err)
	}
	if pending == nil {
		return nil
	}
	return o.publishAll(ctx, [][]byte{pending})
}

func (o *sinkOp[T]) close() error {
	if o.writer == nil {
		return nil
	}
	return o.writer.Close()
}

func heldState(held []prepared) checkpoint.OperatorState {
	s := checkpoint.OperatorState{Name: statePending, Redistribution: checkpoint.Split, Codec: "uvarint id, opaque"}
	for _, h := range held {
		s.Items = append(s.Items, append(binary.AppendUvarint(nil, uint64(h.ref.ID)), h.pending...))
	}
	return s
}

// restoredPending returns what the sinks' subtasks held at a checkpoint, in
// the order of checkpoints and subtasks.
func restoredPending(snaps []checkpoint.OperatorSnapshot) ([][]byte, error) {
	var held []prepared
	for _, snap := range snaps {
		for _, s := range snap.State {
			if s.Name != statePending {
				continue
			}
			for _, item := range s.Items {
				id, n := binary.Uvarint(item)
				if n <= 0 {
					return nil, fmt.Errorf("operator %q subtask %d: state %q: item without a checkpoint id: the checkpoint is damaged", snap.Operator, snap.Index, statePending)
				}
				held = append(held, prepared{checkpoint.Ref{ID: checkpoint.ID(id)}, item[n:]})
			}
		}
	}
	slices.SortStableFunc(held, func(a, b prepared) int { return cmp.Compare(a.ref.ID, b.ref.ID) })
	var pending [][]byte
	for _, h := range held {
		pending = append(pending, h.pending)
	}
	return pending, nil
}
