package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
)

// Result is what a job did.
type Result struct {
	// Records is how many records the sources read since the job's first start, over
	// all restarts, and Malformed how many they skipped.
	Records   int64
	Malformed int64
	// Written is how many records the sinks took, counted likewise. A sink that is
	// not exactly-once may have written more.
	Written int64
	// Attempts is how often the job was started in this Run.
	Attempts int
	// Restored is the checkpoint from which the first attempt started. Zero: it
	// started from nothing.
	Restored checkpoint.ID
	// Duration is the time from Run to its return.
	Duration time.Duration
	Metrics  MetricsSnapshot
}

// Run runs a job until all input is processed and all output published, until the
// job fails for good, or until ctx ends; then it stops cleanly and returns the cause
// of ctx. After a failed attempt cfg.Restart decides whether another follows; each
// starts from the newest checkpoint. No goroutine outlives Run. With an error, too,
// the Result says how far the job came.
func Run(ctx context.Context, j *Job, cfg Config) (Result, error) {
	return run(ctx, j, cfg, newAlone)
}

// run runs a job on the fleet that deployTo gives its driver.
func run(ctx context.Context, j *Job, cfg Config, deployTo func(context.Context, *driver) (done func())) (Result, error) {
	start := time.Now()
	if err := errors.Join(j.Validate(), cfg.Validate()); err != nil {
		return Result{}, err
	}
	cfg = cfg.WithDefaults(j)
	if err := fits(j, cfg); err != nil {
		return Result{}, err
	}
	d := newDriver(j, &cfg)
	defer deployTo(context.WithoutCancel(ctx), d)()
	err := d.run(ctx)
	m := cfg.Metrics.Snapshot()
	return Result{
		Records: m.SourceRecords, Malformed: m.Malformed, Written: m.SinkRecords, Attempts: m.Attempts,
		Restored: d.first, Duration: time.Since(start), Metrics: m,
	}, err
}

// alone is a fleet of one host, in the driver's process.
type alone struct{ *host }

// newAlone gives a driver its fleet, which is closed by what it returns.
func newAlone(ctx context.Context, d *driver) (done func()) {
	h := newHost(ctx, "local", d.job, d.cfg, &links{}, d.report)
	d.fleet = alone{h}
	d.tell(deploy.Joined{Worker: deploy.Worker{ID: h.worker, Slots: d.job.groups()}})
	return h.close
}

func (a alone) post(_ deploy.WorkerID, x checkpoint.Execution, c deploy.Command) { a.command(x, c) }

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
