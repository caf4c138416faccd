package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
)

// host runs the subtasks that a driver deploys to it: at most one execution at
// a time, the newest that it has seen.
type host struct {
	worker deploy.WorkerID
	job    *Job
	cfg    *Config
	links  *links              // to the hosts of the process
	report func(deploy.Report) // never blocks
	ctx    context.Context

	mu      sync.Mutex
	guard   deploy.Guard
	current *execution
	running sync.WaitGroup
}

func newHost(ctx context.Context, id deploy.WorkerID, j *Job, cfg *Config, l *links, report func(deploy.Report)) *host {
	return &host{worker: id, job: j, cfg: cfg, links: l, report: report, ctx: ctx}
}

// Reasons for which an execution is cancelled.
var (
	errCancelled  = errors.New("the attempt is over")
	errSuperseded = errors.New("a newer attempt has begun")
)

// command takes a command of the driver. It does not block.
func (h *host) command(x checkpoint.Execution, c deploy.Command) {
	h.mu.Lock()
	defer h.mu.Unlock()
	verdict, superseded := h.guard.Admit(x, c)
	if superseded && h.current != nil {
		h.current.cancel(errSuperseded)
	}
	if verdict == deploy.Ignore {
		return
	}
	switch c := c.(type) {
	case deploy.Deployment:
		if verdict == deploy.Obey {
			h.current = h.start(x, c, h.current)
		} else if h.current.opened.Load() {
			h.current.report(deploy.Opened{})
		}
	case deploy.Cancel:
		h.cancel(x)
	default:
		h.current.command(c)
	}
}

// cancel ends an execution, which then reports Stopped. If nothing of it runs, cancel
// reports that.
func (h *host) cancel(x checkpoint.Execution) {
	e := h.current
	if e == nil || e.id != x {
		h.report(deploy.Report{Worker: h.worker, Execution: x, Event: deploy.Stopped{}})
		return
	}
	e.cancel(errCancelled)
	select {
	case <-e.done:
		e.report(deploy.Stopped{})
	default:
	}
}

// start builds and runs an execution, once the one before has stopped.
func (h *host) start(x checkpoint.Execution, d deploy.Deployment, before *execution) *execution {
	e := &execution{
		id: x, began: make(chan struct{}), done: make(chan struct{}),
		log: h.cfg.Logger.With("job", h.job.name, "epoch", uint64(x.Epoch), "attempt", uint64(x.Attempt), "worker", string(h.worker)),
		report: func(ev deploy.Event) {
			h.report(deploy.Report{Worker: h.worker, Execution: x, Event: ev})
		},
	}
	e.ctx, e.cancel = context.WithCancelCause(h.ctx)
	pl := newPlan(h.job, d.Parallelism)
	open, err := openings(pl, h.job.groups(), h.cfg, x, d)
	a := &assembly{
		ctx: e.ctx, execution: x, plan: pl, cfg: h.cfg, groups: h.job.groups(), owner: e, log: e.log, inboxes: h.links.join(x),
		hosts: func(id checkpoint.SubtaskID) bool { return open[id] != nil },
	}
	if d.RateLimit > 0 {
		a.pacer = &pacer{perSecond: d.RateLimit}
	}
	if err == nil {
		a.build()
		e.hold(a.subtasks)
	}
	h.running.Go(func() {
		if before != nil {
			<-before.done
		}
		if err != nil {
			e.fail(failureOf(err, nil))
			<-e.ctx.Done()
		} else {
			e.run(open)
		}
		e.cancel(nil)
		h.links.leave(x)
		close(e.done)
		e.report(deploy.Stopped{})
	})
	return e
}

// close cancels what runs and waits for it.
func (h *host) close() {
	h.mu.Lock()
	if h.current != nil {
		h.current.cancel(errCancelled)
	}
	h.mu.Unlock()
	h.running.Wait()
}
