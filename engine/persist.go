package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/internal/panics"
	"github.com/tidemark/tidemark/engine/state"
)

// maxPersisting is how many snapshots of a subtask may be on their way to the
// store at once.
const maxPersisting = 4

// errBusy: maxPersisting snapshots are being persisted.
var errBusy = fmt.Errorf("%d earlier snapshots are still being persisted", maxPersisting)

// persisting are the snapshots of a subtask on their way to the store. Any
// goroutine may cancel one.
type persisting struct {
	mu      sync.Mutex
	running map[checkpoint.Ref]context.CancelFunc
	wait    sync.WaitGroup
}

func (p *persisting) room() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.running) >= maxPersisting {
		return errBusy
	}
	return nil
}

func (p *persisting) cancel(r checkpoint.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.running[r]; cancel != nil {
		cancel()
	}
}

func (p *persisting) cancelAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cancel := range p.running {
		cancel()
	}
}

// persistAsync makes snapshots durable, then acknowledges the checkpoint. If the
// checkpoint is aborted meanwhile, it declines it, to name the objects that the upload
// left in the store: nobody else knows them.
func (s *subtask) persistAsync(b checkpoint.Barrier, snaps []opSnapshot, t checkpoint.Timings) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.persist.mu.Lock()
	s.persist.running[b.Ref()] = cancel
	s.persist.mu.Unlock()
	s.persist.wait.Go(func() {
		start := time.Now()
		operators, objects, err := s.persistAll(ctx, snaps)
		t.Async = time.Since(start)
		cancelled := ctx.Err() != nil
		cancel()
		s.persist.mu.Lock()
		delete(s.persist.running, b.Ref())
		s.persist.mu.Unlock()
		switch {
		case err == nil:
			s.owner.ack(checkpoint.Ack{Checkpoint: b.ID, Subtask: s.id, Operators: operators, Timings: t})
		case !cancelled || len(objects) > 0:
			code := checkpoint.DeclinePersist
			if errors.Is(err, checkpoint.ErrRefused) {
				code = checkpoint.DeclineRefused
			}
			s.decline(b, code, err, objects...)
		}
	})
}

// persistAll makes all snapshots durable, one after the other. With an error it
// returns the objects that it uploaded, for nothing.
func (s *subtask) persistAll(ctx context.Context, snaps []opSnapshot) (operators []checkpoint.OperatorSnapshot, objects []string, err error) {
	for i, snap := range snaps {
		o := s.ops[i].info()
		if o.labels[phasePersist] != nil {
			pprof.SetGoroutineLabels(o.labels[phasePersist])
		}
		done := checkpoint.OperatorSnapshot{Operator: o.id, Index: o.index, State: snap.state}
		if snap.pending != nil {
			if done.Keyed, err = persistOne(ctx, snap.pending); err != nil {
				release(snaps[i+1:])
				if partial, ok := errors.AsType[*state.PersistError](err); ok {
					objects = append(objects, partial.Objects...)
				}
				return nil, objects, o.fail("persist", err)
			}
			if done.Keyed != nil {
				objects = append(objects, done.Keyed.NewObjects()...)
			}
		}
		operators = append(operators, done)
	}
	return operators, nil, nil
}

// persistOne persists a snapshot; a panic in the backend is an error like any.
func persistOne(ctx context.Context, p state.Pending) (h checkpoint.StateHandle, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v; in %s", v, panics.Where())
		}
	}()
	return p.Persist(ctx)
}
