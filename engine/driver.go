package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
)

// fleet carries commands to hosts. The commands of one execution reach a host in
// order; if one is lost, so are all later ones. post does not block.
type fleet interface {
	post(to deploy.WorkerID, x checkpoint.Execution, c deploy.Command)
}

// driver carries out what deploy.Driver decides. Its fields belong to its loop,
// except where they say otherwise.
type driver struct {
	job     *Job
	cfg     *Config
	graph   checkpoint.Graph
	plan    *plan
	log     *slog.Logger
	fleet   fleet
	machine *deploy.Driver
	result  *deploy.Done // once the machine is done

	// These belong to the attempt, and while a call is under way to the call.
	restored  *checkpoint.Restored
	subtasks  []deploy.Subtask
	interrupt context.CancelFunc
	calls     sync.WaitGroup

	listed map[checkpoint.OperatorID][]Split // of sources that began from nothing
	first  checkpoint.ID                     // the checkpoint of the first attempt

	// order makes commands reach all hosts in one order.
	order sync.Mutex

	inbox struct { // any goroutine
		sync.Mutex
		inputs []deploy.Input
		ready  chan struct{}
	}
}

func newDriver(j *Job, cfg *Config) *driver {
	d := &driver{
		job: j, cfg: cfg, graph: j.Graph(cfg.Parallelism), plan: newPlan(j, cfg.Parallelism),
		log: cfg.Logger.With("job", j.name), listed: map[checkpoint.OperatorID][]Split{}, interrupt: func() {},
	}
	d.machine = deploy.NewDriver(d.graph, cfg.Coordinator != nil, cfg.Restart.Begin(), cfg.SameFailures)
	d.inbox.ready = make(chan struct{}, 1)
	return d
}

// tell queues an input of the machine. It does not block.
func (d *driver) tell(in deploy.Input) {
	d.inbox.Lock()
	d.inbox.inputs = append(d.inbox.inputs, in)
	d.inbox.Unlock()
	signal(d.inbox.ready)
}

func (d *driver) told() []deploy.Input {
	d.inbox.Lock()
	defer d.inbox.Unlock()
	in := d.inbox.inputs
	d.inbox.inputs = nil
	return in
}

// report takes a report of a host. It does not block.
func (d *driver) report(r deploy.Report) {
	switch e := r.Event.(type) {
	case deploy.Acked:
		d.cfg.Coordinator.Ack(e.Ack)
	case deploy.Declined:
		d.cfg.Coordinator.Decline(e.Decline)
	default:
		d.tell(r)
	}
}

// run drives the job to its end.
func (d *driver) run(ctx context.Context) error {
	defer d.calls.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	quit := ctx.Done()
	d.tell(deploy.Run{})
	for d.result == nil {
		if at := d.machine.Wake(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case <-quit:
			quit = nil
			d.step(ctx, deploy.Quit{})
		case <-timer.C:
			d.step(ctx, deploy.Tick{})
		case <-d.inbox.ready:
			for _, in := range d.told() {
				d.step(ctx, in)
			}
		}
	}
	switch f := d.result.Failure; {
	case f == nil:
		return nil
	case f.Kind == deploy.FailureQuit:
		return context.Cause(ctx)
	case f.Cause != nil:
		return f.Cause
	default:
		return f
	}
}

func (d *driver) step(ctx context.Context, in deploy.Input) {
	for _, a := range d.machine.Step(time.Now(), in) {
		d.carryOut(ctx, a)
	}
}

// carryOut carries out one action of the machine.
func (d *driver) carryOut(ctx context.Context, a deploy.Action) {
	switch a := a.(type) {
	case deploy.Attach:
		d.cfg.Metrics.begin(int(a.Attempt))
		d.call(ctx, func(ctx context.Context) deploy.Input {
			r, err := d.cfg.Coordinator.Attach(ctx, d.graph, a.Attempt)
			if err != nil {
				return deploy.Attached{Failure: failureOf(fmt.Errorf("attach to the coordinator: %w", err), nil)}
			}
			if d.restored = r; r != nil && a.Attempt == 1 {
				d.first = r.Checkpoint
			}
			return deploy.Attached{Epoch: d.cfg.Coordinator.Epoch()}
		})
	case deploy.Prepare:
		if d.cfg.Coordinator == nil {
			d.cfg.Metrics.begin(int(a.Execution.Attempt))
		}
		d.call(ctx, func(ctx context.Context) deploy.Input {
			err := d.prepare(ctx, a.Execution)
			return deploy.Prepared{Restored: d.startsFrom(), Done: d.restored != nil && d.restored.Final, Failure: failureOf(err, nil)}
		})
	case deploy.Finish:
		d.call(ctx, func(ctx context.Context) deploy.Input {
			err := d.cfg.Coordinator.Finish(ctx)
			if err != nil {
				err = fmt.Errorf("final checkpoint: %w", err)
			}
			return deploy.Finished{Failure: failureOf(err, nil)}
		})
	case deploy.Interrupt:
		d.interrupt()
	case deploy.Deploy:
		d.deploy(a)
	case deploy.Post:
		d.post(a.To, a.Execution, a.Command)
	case deploy.Start:
		d.cfg.Coordinator.Start(a.Execution, &tasks{d, a.Execution, d.subtaskIDs(), a.Workers})
	case deploy.Close:
		d.cfg.Coordinator.Drain()
	case deploy.Detach:
		d.cfg.Coordinator.Detach()
	case deploy.Retry:
		d.cfg.Metrics.restarting()
		d.log.Warn("attempt failed, restarting", "attempt", uint64(a.Attempt), "delay", a.Delay, "error", a.Failure)
		if a.Failure.Stack != "" {
			d.log.Debug("stack of the panic", "attempt", uint64(a.Attempt), "stack", a.Failure.Stack)
		}
	case deploy.Done:
		d.result = &a
	}
}

// startsFrom is the checkpoint that the attempt starts from; zero: none.
func (d *driver) startsFrom() checkpoint.ID {
	if d.restored == nil {
		return 0
	}
	return d.restored.Checkpoint
}

// call makes a call that takes time; its answer is an input.
func (d *driver) call(ctx context.Context, f func(ctx context.Context) deploy.Input) {
	ctx, cancel := context.WithCancel(ctx)
	d.interrupt = cancel
	d.calls.Go(func() {
		defer cancel()
		d.tell(f(ctx))
	})
}

// deploy sends each worker its part of the job.
func (d *driver) deploy(a deploy.Deploy) {
	base := deploy.Deployment{Restored: d.startsFrom(), Parallelism: d.cfg.Parallelism, Placement: a.Placement}
	for _, w := range a.Placement.Workers() {
		own := base
		for _, s := range d.subtasks {
			if a.Placement.Worker(s.ID.Index) == w {
				own.Subtasks = append(own.Subtasks, s)
			}
		}
		own.RateLimit = d.cfg.RateLimit * d.shareOfSources(own.Subtasks)
		d.post([]deploy.WorkerID{w}, a.Execution, own)
	}
}

// shareOfSources is the share of the job's source subtasks that are among some.
func (d *driver) shareOfSources(some []deploy.Subtask) float64 {
	count := func(subtasks []deploy.Subtask) (n float64) {
		for _, s := range subtasks {
			if o, _ := d.graph.Operator(s.ID.Vertex); o.Type == kindSource {
				n++
			}
		}
		return n
	}
	return count(some) / count(d.subtasks)
}

func (d *driver) subtaskIDs() []checkpoint.SubtaskID {
	ids := make([]checkpoint.SubtaskID, len(d.subtasks))
	for i, s := range d.subtasks {
		ids[i] = s.ID
	}
	return ids
}

// post sends a command to hosts. Any goroutine.
func (d *driver) post(to []deploy.WorkerID, x checkpoint.Execution, c deploy.Command) {
	d.order.Lock()
	defer d.order.Unlock()
	for _, w := range to {
		d.fleet.post(w, x, c)
	}
}

// tasks is an execution, as the coordinator sees it.
type tasks struct {
	driver    *driver
	execution checkpoint.Execution
	subtasks  []checkpoint.SubtaskID
	workers   []deploy.WorkerID
}

var _ checkpoint.Tasks = (*tasks)(nil)

func (t *tasks) post(c deploy.Command) { t.driver.post(t.workers, t.execution, c) }

// Subtasks implements checkpoint.Tasks.
func (t *tasks) Subtasks() []checkpoint.SubtaskID { return t.subtasks }

// Trigger implements checkpoint.Tasks.
func (t *tasks) Trigger(b checkpoint.Barrier) { t.post(deploy.Trigger{Barrier: b}) }

// Committed implements checkpoint.Tasks.
func (t *tasks) Committed(r checkpoint.Ref) { t.post(deploy.Committed{Ref: r}) }

// Aborted implements checkpoint.Tasks.
func (t *tasks) Aborted(r checkpoint.Ref, reason error) {
	t.post(deploy.Aborted{Ref: r, Reason: reason.Error(), TimedOut: errors.Is(reason, checkpoint.ErrTimedOut)})
}

// Fail implements checkpoint.Tasks.
func (t *tasks) Fail(err error) {
	t.driver.tell(deploy.GivenUp{Execution: t.execution, Failure: failureOf(err, nil)})
}
