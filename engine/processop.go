package engine

import (
	"context"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// processOp runs a Processor.
type processOp[K comparable, T, U any] struct {
	*opInfo
	make      func() Processor[K, T, U]
	processor Processor[K, T, U]
	key       keyContext[K]
	out       *buffer[U]
	registry  *state.Registry
	coming    state.Expectation
	atKey     func() string // for opInfo.doing, made once
}

// lookahead is the number of records whose keys are announced to the states at once.
const lookahead = 64

func buildProcess[K comparable, T, U any](a *assembly, p *planned, key func(T) K, codec state.KeyCodec[K], newProcessor func() Processor[K, T, U]) {
	process := make([]func(*batch[K, T]) error, p.parallelism)
	for i, info := range a.hosted(p) {
		op := &processOp[K, T, U]{opInfo: info, make: newProcessor, out: newBuffer[U](a, p, info)}
		op.key = keyContext[K]{stale: true, codec: codec, groups: a.groups}
		op.key.current = &op.key.own
		a.addOperator(p, i, op)
		process[i] = op.process
	}
	connectKeyed(a, p, key, codec, process)
}

func (o *processOp[K, T, U]) open(ctx context.Context, op opening) error {
	o.atKey = func() string { return fmt.Sprintf("process record of key %v", o.key.key) }
	if o.processor = o.make(); o.processor == nil {
		return Permanent(o.fail("open", errNoProcessor))
	}
	backend, err := op.backends.Open(ctx, state.OpenRequest{
		Operator: o.id, Index: o.index, Attempt: op.execution.Attempt, KeyGroups: op.groups, Restored: op.restored, Handles: op.handles, Drop: op.drop,
	})
	if err != nil {
		return o.fail("open state", err)
	}
	o.registry = state.NewRegistry(backend, o.key.codec.Signature(), op.states)
	o.registry.SetClock(op.clock)
	o.registry.Drop(op.drop)
	if err := o.processor.Open(OpenContext{Context: ctx, Operator: o.id, Index: o.index, Parallelism: o.parallelism, States: o.registry}); err != nil {
		return o.fail("open", err)
	}
	if err := o.registry.Err(); err != nil {
		return o.fail("open states", err)
	}
	return nil
}

func (o *processOp[K, T, U]) process(b *batch[K, T]) error {
	before := o.sub.enter(o.opInfo)
	o.counters.in.Add(int64(len(b.records)))
	o.doing = o.atKey
	c, out := Context[K]{&o.key}, Out[U]{o.out}
	expects := o.registry.Expects()
	for i := range b.records {
		if expects && i%lookahead == 0 {
			if err := o.expect(b.keys[i:min(i+lookahead, len(b.keys))], b.hashes[i:]); err != nil {
				return o.fail("read state", err)
			}
		}
		o.key.set(b.keys[i], b.hashes[i])
		if err := o.processor.Process(c, b.records[i], out); err != nil {
			return o.fail(fmt.Sprintf("process record of key %v", b.keys[i]), err)
		}
	}
	o.doing = nil
	o.sub.leave(before)
	return o.out.err
}

// expect announces to the states the keys that come next.
func (o *processOp[K, T, U]) expect(keys []K, hashes []uint64) error {
	o.coming.Reset()
	for i, k := range keys {
		o.coming.Add(hashes[i], keygroup.Of(hashes[i], o.key.groups), func(dst []byte) []byte { return o.key.codec.Append(dst, k) })
	}
	return o.registry.Expect(&o.coming)
}

func (o *processOp[K, T, U]) finish(ctx context.Context) error {
	out := Out[U]{o.out}
	if f, ok := o.processor.(KeyFinisher[K, U]); ok {
		c := Context[K]{&o.key}
		err := o.registry.EachKey(ctx, func(cur *state.Current) (err error) {
			if o.key.key, _, err = o.key.codec.Decode(cur.Key); err != nil {
				return err
			}
			o.key.current, o.key.stale = cur, false
			o.doing = o.atKey
			if err := f.FinishKey(c, out); err != nil {
				return fmt.Errorf("key %v: %w", o.key.key, err)
			}
			return o.out.err
		})
		o.key.current, o.key.stale, o.doing = &o.key.own, true, nil
		if err != nil {
			return o.fail("finish keys", err)
		}
	}
	if f, ok := o.processor.(Finisher[U]); ok {
		if err := f.Finish(out); err != nil {
			return o.fail("finish", err)
		}
	}
	return o.out.err
}

func (o *processOp[K, T, U]) snapshot(ctx context.Context, b checkpoint.Barrier) (opSnapshot, error) {
	pending, err := o.registry.Snapshot(ctx, b)
	if err != nil {
		return opSnapshot{}, o.fail("snapshot", err)
	}
	return opSnapshot{o.registry.OperatorStates(), pending}, nil
}

func (o *processOp[K, T, U]) committed(_ context.Context, r checkpoint.Ref) error {
	o.registry.Committed(r.ID)
	return nil
}

func (o *processOp[K, T, U]) aborted(r checkpoint.Ref) { o.registry.Aborted(r.ID) }

func (o *processOp[K, T, U]) publish(context.Context) error { return nil }

func (o *processOp[K, T, U]) close() error {
	if o.registry == nil {
		return nil
	}
	return o.registry.Close()
}
