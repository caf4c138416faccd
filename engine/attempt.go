package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// attempt is one execution of a job, from a checkpoint or from nothing. It is
// the checkpoint.Tasks of its coordinator.
type attempt struct {
	execution checkpoint.Execution // epoch zero: no checkpoints are taken
	cfg       *Config
	plan      *plan
	groups    int
	log       *slog.Logger

	ctx    context.Context
	cancel context.CancelCauseFunc

	subtasks []*subtask
	sources  []*subtask

	// What only the operators' types know, by name.
	listSplits map[checkpoint.OperatorID]func(ctx context.Context, parallelism int) ([]Split, error)
	recover    map[checkpoint.OperatorID]func(ctx context.Context, r Recovery) error

	// order makes triggers and the drain reach all mailboxes in one order.
	order sync.Mutex

	reading      atomic.Int64 // sources that are not exhausted
	running      atomic.Int64 // subtasks that have not ended
	allExhausted chan struct{}
	allEnded     chan struct{}
}

var _ checkpoint.Tasks = (*attempt)(nil)

func (a *attempt) exhausted() {
	if a.reading.Add(-1) == 0 {
		close(a.allExhausted)
	}
}

func (a *attempt) ended() {
	if a.running.Add(-1) == 0 {
		close(a.allEnded)
	}
}

// Subtasks implements checkpoint.Tasks.
func (a *attempt) Subtasks() []checkpoint.SubtaskID {
	ids := make([]checkpoint.SubtaskID, len(a.subtasks))
	for i, s := range a.subtasks {
		ids[i] = s.id
	}
	return ids
}

// Trigger implements checkpoint.Tasks.
func (a *attempt) Trigger(b checkpoint.Barrier) {
	to := a.sources
	if b.Kind == checkpoint.Final {
		to = a.subtasks
	}
	a.post(to, message{kind: messageTrigger, barrier: b})
}

// Committed implements checkpoint.Tasks.
func (a *attempt) Committed(r checkpoint.Ref) {
	a.post(a.subtasks, message{kind: messageCommitted, ref: r})
}

// Aborted implements checkpoint.Tasks.
func (a *attempt) Aborted(r checkpoint.Ref, reason error) {
	a.log.Debug("checkpoint aborted", "checkpoint_id", uint64(r.ID), "error", reason)
	for _, s := range a.subtasks {
		s.persist.cancel(r)
	}
	a.post(a.subtasks, message{kind: messageAborted, ref: r})
}

// Fail implements checkpoint.Tasks.
func (a *attempt) Fail(err error) { a.cancel(err) }

func (a *attempt) post(to []*subtask, m message) {
	a.order.Lock()
	defer a.order.Unlock()
	for _, s := range to {
		s.mailbox.post(m)
	}
}

func (a *attempt) ack(k checkpoint.Ack) {
	k.Execution = a.execution
	a.cfg.Coordinator.Ack(k)
}

func (a *attempt) decline(d checkpoint.Decline) {
	d.Execution = a.execution
	a.cfg.Coordinator.Decline(d)
}

// openings returns what each operator's subtasks start from, and recovers the
// sinks' targets. fresh are the splits of sources that start from nothing; it
// is filled in as they are listed.
func (a *attempt) openings(restored *checkpoint.Restored, fresh map[checkpoint.OperatorID][]Split) (map[*planned][]opening, error) {
	base := opening{execution: a.execution, backends: a.cfg.Backends, clock: a.cfg.Clock}
	var snaps map[checkpoint.OperatorID][]checkpoint.OperatorSnapshot
	if restored != nil {
		base.restored, snaps = restored.Checkpoint, restored.Operators
	}
	all := map[*planned][]opening{}
	for _, p := range a.plan.nodes {
		ops := make([]opening, p.parallelism)
		states := redistribute(snaps[p.id], p.parallelism)
		for i := range ops {
			ops[i] = base
			ops[i].states = states[i]
			if p.kind == kindProcess {
				ops[i].groups = keygroup.Assign(a.groups, p.parallelism, i)
				ops[i].handles = overlapping(snaps[p.id], ops[i].groups)
			}
		}
		all[p] = ops
		if p.kind != kindSource && p.kind != kindSink {
			continue
		}
		records, malformed, err := restoredCounts(snaps[p.id])
		if err != nil {
			return nil, err
		}
		a.cfg.Metrics.restored(p.id, p.kind, records, malformed)
		if p.kind == kindSink || len(snaps[p.id]) > 0 {
			continue
		}
		splits, listed := fresh[p.id]
		if !listed {
			var err error
			if splits, err = a.listSplits[p.id](a.ctx, p.parallelism); err != nil {
				return nil, fmt.Errorf("operator %q: list splits: %w", p.id, err)
			}
			fresh[p.id] = splits
		}
		for i, s := range splits {
			ops[i%p.parallelism].splits = append(ops[i%p.parallelism].splits, s)
		}
	}
	return all, nil
}

// redistribute deals operator state out; the snapshots are by index.
func redistribute(snaps []checkpoint.OperatorSnapshot, parallelism int) [][]checkpoint.OperatorState {
	old := make([][]checkpoint.OperatorState, len(snaps))
	for i, s := range snaps {
		old[i] = s.State
	}
	return state.Redistribute(old, parallelism)
}

func overlapping(snaps []checkpoint.OperatorSnapshot, groups keygroup.Range) (handles []checkpoint.StateHandle) {
	for _, s := range snaps {
		if s.Keyed != nil && s.Keyed.KeyGroups().Intersect(groups).Len() > 0 {
			handles = append(handles, s.Keyed)
		}
	}
	return handles
}

// restoredCounts is what a source had read and skipped, or a sink written, at a
// checkpoint.
func restoredCounts(snaps []checkpoint.OperatorSnapshot) (records, malformed int64, err error) {
	for _, snap := range snaps {
		for _, s := range snap.State {
			var n int64
			switch s.Name {
			case stateRecords:
				n, err = sumCounts(s)
				records += n
			case stateMalformed:
				n, err = sumCounts(s)
				malformed += n
			}
			if err != nil {
				return 0, 0, fmt.Errorf("operator %q subtask %d: %w", snap.Operator, snap.Index, err)
			}
		}
	}
	return records, malformed, nil
}

// recoverSinks brings every sink's target to the restored checkpoint.
func (a *attempt) recoverSinks(restored *checkpoint.Restored) error {
	for _, p := range a.plan.nodes {
		if p.kind != kindSink {
			continue
		}
		r := Recovery{Operator: p.id, Epoch: a.execution.Epoch}
		if restored != nil {
			r.Restored = restored.Checkpoint
			var err error
			if r.Pending, err = restoredPending(restored.Operators[p.id]); err != nil {
				return err
			}
		}
		if err := a.recover[p.id](a.ctx, r); err != nil {
			return fmt.Errorf("operator %q: recover: %w", p.id, err)
		}
	}
	return nil
}

// execute runs all subtasks until the input has been processed and published,
// or one fails, or the attempt's context ends.
func (a *attempt) execute(openings map[*planned][]opening) error {
	for _, s := range a.subtasks {
		if s.source {
			a.sources = append(a.sources, s)
		}
	}
	a.reading.Store(int64(len(a.sources)))
	a.running.Store(int64(len(a.subtasks)))

	var opened, done sync.WaitGroup
	opened.Add(len(a.subtasks))
	begin := make(chan struct{})
	for _, s := range a.subtasks {
		own := make([]opening, len(s.nodes))
		for i, p := range s.nodes {
			own[i] = openings[p][s.id.Index]
		}
		done.Go(func() { a.host(s, own, opened.Done, begin) })
	}
	// No record is processed before all that was restored has been read and
	// verified (I10).
	opened.Wait()
	if a.ctx.Err() == nil {
		if a.cfg.Coordinator != nil {
			a.cfg.Coordinator.Start(a.execution, a)
		}
		a.log.Info("all subtasks run", "subtasks", len(a.subtasks))
	}
	close(begin)
	if err := a.drain(); err != nil {
		a.cancel(err)
	}
	done.Wait()
	return context.Cause(a.ctx)
}

// host is the goroutine of a subtask.
func (a *attempt) host(s *subtask, own []opening, opened func(), begin <-chan struct{}) {
	err := s.guard(func() error { return s.open(own) })
	if err != nil {
		a.cancel(err)
	}
	opened()
	<-begin
	if err == nil {
		if err = s.guard(s.run); err != nil {
			a.cancel(err)
		}
	}
	if err := s.close(); err != nil {
		a.log.Warn("closing a subtask failed", "subtask", s.id.String(), "error", err)
	}
}

// drain waits for the end of the input and brings the attempt to its own.
func (a *attempt) drain() error {
	if err := a.await(a.allExhausted); err != nil {
		return err
	}
	if a.cfg.Coordinator != nil {
		a.cfg.Coordinator.Drain()
	}
	a.post(a.sources, message{kind: messageDrain})
	if err := a.await(a.allEnded); err != nil {
		return err
	}
	if a.cfg.Coordinator == nil {
		a.post(a.subtasks, message{kind: messagePublish})
	} else if err := a.cfg.Coordinator.Finish(a.ctx); err != nil {
		return fmt.Errorf("final checkpoint: %w", err)
	}
	a.post(a.subtasks, message{kind: messageStop})
	return nil
}

func (a *attempt) await(ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
}
