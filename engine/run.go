package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Result is what a job did.
type Result struct {
	// Records is what the sources read, from the job's first start on, over all
	// restarts; Malformed what they skipped.
	Records   int64
	Malformed int64
	// Written is what the sinks took, counted likewise. A sink that is not
	// exactly-once may have been given more.
	Written int64
	// Attempts is how often the job was started in this Run.
	Attempts int
	// Restored is the checkpoint that the first attempt started from; zero: it
	// started from nothing.
	Restored checkpoint.ID
	// Duration is the time from Run to its return.
	Duration time.Duration
	Metrics  MetricsSnapshot
}

// Run runs a job until its input has been processed and all that its sinks
// wrote is published, or until it fails for good, or ctx ends: then it stops
// cleanly and returns the cause of ctx. Failed attempts are followed by others
// as cfg.Restart says, each from the newest checkpoint. No goroutine outlives
// Run. The Result is as good as it can be with an error too.
func Run(ctx context.Context, j *Job, cfg Config) (Result, error) {
	start := time.Now()
	if err := errors.Join(j.Validate(), cfg.Validate()); err != nil {
		return Result{}, err
	}
	cfg = cfg.WithDefaults(j)
	if err := fits(j, cfg); err != nil {
		return Result{}, err
	}
	r := &runner{job: j, cfg: &cfg, graph: j.Graph(cfg.Parallelism), fresh: map[checkpoint.OperatorID][]Split{}}
	err := r.attempts(ctx)
	m := cfg.Metrics.Snapshot()
	return Result{
		Records: m.SourceRecords, Malformed: m.Malformed, Written: m.SinkRecords, Attempts: m.Attempts,
		Restored: r.restored, Duration: time.Since(start), Metrics: m,
	}, err
}

// fits checks what neither the job nor the config can tell alone.
func fits(j *Job, cfg Config) error {
	if cfg.Parallelism > j.groups() {
		return Permanent(fmt.Errorf("config: Parallelism %d exceeds the max parallelism %d of job %q", cfg.Parallelism, j.groups(), j.name))
	}
	if cfg.Backends == nil {
		for _, n := range j.nodes {
			if n.kind == kindProcess {
				return Permanent(fmt.Errorf("config: Backends is nil, but operator %q keeps keyed state", n.id))
			}
		}
	}
	return nil
}

// runner is one Run.
type runner struct {
	job      *Job
	cfg      *Config
	graph    checkpoint.Graph
	fresh    map[checkpoint.OperatorID][]Split // of sources that began from nothing, listed once
	restored checkpoint.ID
}

func (r *runner) attempts(ctx context.Context) error {
	log := r.cfg.Logger.With("job", r.job.name)
	again := r.cfg.Restart.Begin()
	for n := 1; ; n++ {
		start := time.Now()
		err := r.attempt(ctx, checkpoint.Attempt(n))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case IsPermanent(err):
			return err
		}
		delay, ok := again(time.Since(start))
		if !ok {
			return err
		}
		log.Warn("attempt failed, restarting", "attempt", n, "delay", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// attempt runs the job once, from the newest checkpoint.
func (r *runner) attempt(ctx context.Context, n checkpoint.Attempt) (err error) {
	r.cfg.Metrics.begin(int(n))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x := checkpoint.Execution{Attempt: n}
	var restored *checkpoint.Restored
	if c := r.cfg.Coordinator; c != nil {
		if restored, err = c.Attach(ctx, r.graph, n); err != nil {
			return fmt.Errorf("attach to the coordinator: %w", err)
		}
		defer c.Detach()
		x.Epoch = c.Epoch()
	}
	a := &attempt{
		execution: x, cfg: r.cfg, plan: newPlan(r.job, r.cfg.Parallelism), groups: r.job.groups(),
		log: r.cfg.Logger.With("job", r.job.name, "attempt", uint64(n)),
		ctx: ctx, cancel: cancel,
		listSplits:   map[checkpoint.OperatorID]func(context.Context, int) ([]Split, error){},
		recover:      map[checkpoint.OperatorID]func(context.Context, Recovery) error{},
		allExhausted: make(chan struct{}), allEnded: make(chan struct{}),
	}
	if restored != nil {
		if n == 1 {
			r.restored = restored.Checkpoint
		}
		if err := r.graph.Fit(restored.Graph, restored.Stateful()); err != nil {
			return fmt.Errorf("restore checkpoint %v: %w", restored.Checkpoint, err)
		}
		a.log.Info("starting from a checkpoint", "checkpoint_id", uint64(restored.Checkpoint), "final", restored.Final)
	}
	as := &assembly{ctx: ctx, plan: a.plan, cfg: r.cfg, groups: a.groups, attempt: a}
	if r.cfg.RateLimit > 0 {
		as.pacer = &pacer{perSecond: r.cfg.RateLimit}
	}
	as.build()
	a.subtasks = as.subtasks
	openings, err := prepare(a, restored, r.fresh)
	if err != nil || restored != nil && restored.Final {
		return err
	}
	return a.execute(openings)
}

// prepare does what comes before any subtask opens. It runs users' code, so a
// panic in it is an error too.
func prepare(a *attempt, restored *checkpoint.Restored, fresh map[checkpoint.OperatorID][]Split) (openings map[*planned][]opening, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Operator: "", Value: v, Stack: debug.Stack()}
		}
	}()
	if openings, err = a.openings(restored, fresh); err != nil {
		return nil, err
	}
	return openings, a.recoverSinks(restored)
}
