package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Coordinator keeps checkpoints in memory, and takes one at a time. The zero
// Coordinator takes only the final one and those that Trigger asks for. Set its
// fields before use. It may serve several Runs: each starts from the last
// checkpoint of the one before.
type Coordinator struct {
	// Every is the pause between one checkpoint and the next. Zero: none are
	// taken periodically.
	Every time.Duration
	// Commit, if not nil, is called before a checkpoint is committed. An error
	// aborts the checkpoint.
	Commit func(checkpoint.ID) error
	// Drop names state of the last checkpoint that the job no longer has.
	Drop []checkpoint.Drop

	mu       sync.Mutex
	attempt  checkpoint.Attempt
	graph    checkpoint.Graph
	tasks    checkpoint.Tasks
	nextID   checkpoint.ID
	pending  *pendingCheckpoint
	last     *checkpoint.Restored
	declined []checkpoint.Decline
	stop     context.CancelFunc
	loop     sync.WaitGroup
}

var _ checkpoint.Coordinator = (*Coordinator)(nil)

// pendingCheckpoint is a checkpoint that has been triggered.
type pendingCheckpoint struct {
	barrier   checkpoint.Barrier
	missing   map[checkpoint.SubtaskID]bool
	operators map[checkpoint.OperatorID][]checkpoint.OperatorSnapshot
	done      chan error
}

// ErrNotRunning: a checkpoint was asked for while no attempt ran.
var ErrNotRunning = errors.New("no attempt is running")

// Attach implements checkpoint.Coordinator.
func (c *Coordinator) Attach(_ context.Context, g checkpoint.Graph, a checkpoint.Attempt) (*checkpoint.Restored, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.graph, c.attempt = g, a
	if c.last == nil {
		return nil, nil
	}
	restored := *c.last
	restored.Drop = c.Drop
	return &restored, nil
}

// Epoch implements checkpoint.Coordinator: it is always 1.
func (c *Coordinator) Epoch() checkpoint.Epoch { return 1 }

// Start implements checkpoint.Coordinator.
func (c *Coordinator) Start(x checkpoint.Execution, t checkpoint.Tasks) {
	ctx, cancel := context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	if x != (checkpoint.Execution{Epoch: 1, Attempt: c.attempt}) {
		cancel()
		return
	}
	c.tasks, c.stop = t, cancel
	if c.Every > 0 {
		c.loop.Go(func() {
			for {
				select {
				case <-time.After(c.Every):
				case <-ctx.Done():
					return
				}
				_, _ = c.take(ctx, checkpoint.Periodic) // a failed one is followed by the next
			}
		})
	}
}

// Trigger takes a checkpoint and returns once it is committed or aborted.
func (c *Coordinator) Trigger(ctx context.Context) (checkpoint.ID, error) {
	return c.take(ctx, checkpoint.Manual)
}

// Drain implements checkpoint.Coordinator. It does nothing: subtasks decline what
// is triggered during the drain, as they would a coordinator's late trigger.
func (c *Coordinator) Drain() {}

// Finish implements checkpoint.Coordinator.
func (c *Coordinator) Finish(ctx context.Context) error {
	for {
		_, err := c.take(ctx, checkpoint.Final)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrNotRunning) {
			return err
		}
	}
}

// Last returns the newest committed checkpoint, nil if there is none.
func (c *Coordinator) Last() *checkpoint.Restored {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Declined returns the declines that aborted a checkpoint or named objects
// that one left behind.
func (c *Coordinator) Declined() []checkpoint.Decline {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.declined
}

// take waits until no checkpoint is pending, triggers one and waits for its end.
func (c *Coordinator) take(ctx context.Context, kind checkpoint.Kind) (checkpoint.ID, error) {
	for {
		c.mu.Lock()
		if c.tasks == nil {
			c.mu.Unlock()
			return 0, ErrNotRunning
		}
		p := c.pending
		own := p == nil
		if own {
			c.nextID++
			p = &pendingCheckpoint{
				barrier:   checkpoint.Barrier{ID: c.nextID, Epoch: 1, Kind: kind, Triggered: time.Now()},
				missing:   map[checkpoint.SubtaskID]bool{},
				operators: map[checkpoint.OperatorID][]checkpoint.OperatorSnapshot{},
				done:      make(chan error, 1),
			}
			if c.last != nil {
				p.barrier.Base = c.last.Checkpoint
			}
			for _, s := range c.tasks.Subtasks() {
				p.missing[s] = true
			}
			c.pending = p
			c.tasks.Trigger(p.barrier)
		}
		c.mu.Unlock()
		select {
		case err := <-p.done:
			p.done <- err // for whoever else waits
			if own {
				return p.barrier.ID, err
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Ack implements checkpoint.Coordinator.
func (c *Coordinator) Ack(a checkpoint.Ack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending
	if p == nil || p.barrier.ID != a.Checkpoint || a.Attempt != c.attempt || !p.missing[a.Subtask] {
		return
	}
	delete(p.missing, a.Subtask)
	for _, o := range a.Operators {
		p.operators[o.Operator] = append(p.operators[o.Operator], o)
	}
	if len(p.missing) > 0 {
		return
	}
	if c.Commit != nil {
		if err := c.Commit(p.barrier.ID); err != nil {
			c.abort(err)
			return
		}
	}
	for id, snaps := range p.operators {
		byIndex := make([]checkpoint.OperatorSnapshot, len(snaps))
		for _, s := range snaps {
			byIndex[s.Index] = s
		}
		p.operators[id] = byIndex
	}
	c.last = &checkpoint.Restored{
		Checkpoint: p.barrier.ID, Epoch: 1, Final: p.barrier.Kind == checkpoint.Final, Graph: c.graph, Operators: p.operators,
	}
	c.tasks.Committed(p.barrier.Ref())
	c.pending = nil
	p.done <- nil
}

// Decline implements checkpoint.Coordinator.
func (c *Coordinator) Decline(d checkpoint.Decline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil || c.pending.barrier.ID != d.Checkpoint || d.Attempt != c.attempt {
		if len(d.Objects) > 0 {
			c.declined = append(c.declined, d)
		}
		return
	}
	err := fmt.Errorf("checkpoint %v declined by %v (%v): %s", d.Checkpoint, d.Subtask, d.Code, d.Text)
	c.declined = append(c.declined, d)
	c.abort(err)
}

// Abort aborts the pending checkpoint, if there is one.
func (c *Coordinator) Abort(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort(err)
}

func (c *Coordinator) abort(err error) {
	p := c.pending
	if p == nil {
		return
	}
	c.pending = nil
	if c.tasks != nil {
		c.tasks.Aborted(p.barrier.Ref(), err)
	}
	p.done <- err
}

// Detach implements checkpoint.Coordinator.
func (c *Coordinator) Detach() {
	c.mu.Lock()
	stop := c.stop
	c.stop = nil
	c.tasks = nil
	c.abort(ErrNotRunning)
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	c.loop.Wait()
}
