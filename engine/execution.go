package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// execution is a host's part of one execution of a job.
type execution struct {
	id       checkpoint.Execution
	ctx      context.Context
	cancel   context.CancelCauseFunc
	log      *slog.Logger
	report   func(deploy.Event) // never blocks
	subtasks []*subtask
	sources  []*subtask

	began  chan struct{} // closed by Begin
	begin  sync.Once
	opened atomic.Bool
	failed sync.Once
	done   chan struct{} // closed when nothing runs any more

	reading atomic.Int64 // sources that are not exhausted
	running atomic.Int64 // subtasks that have not ended
}

// hold takes the subtasks that the execution runs.
func (e *execution) hold(subtasks []*subtask) {
	e.subtasks = subtasks
	for _, s := range subtasks {
		if s.source {
			e.sources = append(e.sources, s)
		}
	}
	e.reading.Store(int64(len(e.sources)))
	e.running.Store(int64(len(e.subtasks)))
}

func (e *execution) exhausted() {
	if e.reading.Add(-1) == 0 {
		e.report(deploy.Exhausted{})
	}
}

func (e *execution) ended() {
	if e.running.Add(-1) == 0 {
		e.report(deploy.Ended{})
	}
}

func (e *execution) ack(a checkpoint.Ack) {
	a.Execution = e.id
	e.report(deploy.Acked{Ack: a})
}

func (e *execution) decline(d checkpoint.Decline) {
	d.Execution = e.id
	e.report(deploy.Declined{Decline: d})
}

// fail reports the first failure. What else runs goes on until the driver
// cancels it.
func (e *execution) fail(f *deploy.Failure) {
	if e.ctx.Err() == nil {
		e.failed.Do(func() { e.report(deploy.Failed{Failure: f}) })
	}
}

// run opens the subtasks and runs them until they are stopped, or the
// execution is cancelled.
func (e *execution) run(openings map[checkpoint.SubtaskID][]opening) {
	var opening, running sync.WaitGroup
	var broken atomic.Bool
	for _, s := range e.subtasks {
		opening.Add(1)
		running.Go(func() {
			err := s.guard(func() error { return s.open(openings[s.id]) })
			if err != nil {
				broken.Store(true)
				e.fail(failureOf(err, s.at))
			}
			opening.Done()
			if err == nil {
				e.process(s)
			}
			if err := s.close(); err != nil {
				e.log.Warn("closing a subtask failed", "subtask", s.id.String(), "error", err)
			}
		})
	}
	opening.Wait()
	if !broken.Load() && e.ctx.Err() == nil {
		e.opened.Store(true)
		e.report(deploy.Opened{})
		e.log.Info("all subtasks are open", "subtasks", len(e.subtasks))
	}
	running.Wait()
}

// process runs a subtask once the execution has begun.
func (e *execution) process(s *subtask) {
	select {
	case <-e.began:
	case <-e.ctx.Done():
		return
	}
	if err := s.guard(s.run); err != nil {
		e.fail(failureOf(err, s.at))
	}
}

// command carries out a command of the execution. Commands come one at a time.
func (e *execution) command(c deploy.Command) {
	switch c := c.(type) {
	case deploy.Begin:
		e.begin.Do(func() {
			if len(e.sources) == 0 {
				e.report(deploy.Exhausted{})
			}
			close(e.began)
		})
	case deploy.Trigger:
		to := e.sources
		if c.Barrier.Kind == checkpoint.Final {
			to = e.subtasks
		}
		post(to, message{kind: messageTrigger, barrier: c.Barrier})
	case deploy.Committed:
		post(e.subtasks, message{kind: messageCommitted, ref: c.Ref})
	case deploy.Aborted:
		e.log.Debug("checkpoint aborted", "checkpoint_id", uint64(c.Ref.ID), "reason", c.Reason)
		for _, s := range e.subtasks {
			s.persist.cancel(c.Ref)
			if n := s.head.queued(); c.TimedOut && n > 0 && s.passed.Load() < uint64(c.Ref.ID) {
				e.log.Warn("checkpoint timed out, its barrier waits for records", "checkpoint_id", uint64(c.Ref.ID), "subtask", s.id.String(), "queued_records", n)
			}
		}
		post(e.subtasks, message{kind: messageAborted, ref: c.Ref})
	case deploy.Drain:
		post(e.sources, message{kind: messageDrain})
	case deploy.Stop:
		if c.Publish {
			post(e.subtasks, message{kind: messagePublish})
		}
		post(e.subtasks, message{kind: messageStop})
	}
}

func post(to []*subtask, m message) {
	for _, s := range to {
		s.mailbox.post(m)
	}
}

// openings turns a deployment into what the operators of each subtask start
// from.
func openings(pl *plan, groups int, cfg *Config, x checkpoint.Execution, d deploy.Deployment) (map[checkpoint.SubtaskID][]opening, error) {
	chains := map[checkpoint.OperatorID][]*planned{}
	for _, p := range pl.nodes {
		chains[p.head.id] = append(chains[p.head.id], p)
	}
	all := map[checkpoint.SubtaskID][]opening{}
	for _, s := range d.Subtasks {
		chain := chains[s.ID.Vertex]
		if len(chain) != len(s.Operators) || len(chain) == 0 || s.ID.Index < 0 || s.ID.Index >= chain[0].parallelism {
			return nil, fmt.Errorf("deploy subtask %v of %d operators: %w", s.ID, len(s.Operators), checkpoint.ErrGraphMismatch)
		}
		for i, o := range s.Operators {
			open := opening{
				job: cfg.Identity, execution: x, restored: d.Restored, states: o.States, handles: o.Handles, drop: o.Drop, backends: cfg.Backends, clock: cfg.Clock,
			}
			for _, split := range o.Splits {
				open.splits = append(open.splits, split)
			}
			if p := chain[i]; p.id != o.ID {
				return nil, fmt.Errorf("deploy operator %q in place of %q: %w", o.ID, p.id, checkpoint.ErrGraphMismatch)
			} else if p.kind == kindProcess {
				open.groups = keygroup.Assign(groups, p.parallelism, s.ID.Index)
			}
			all[s.ID] = append(all[s.ID], open)
		}
	}
	return all, nil
}
