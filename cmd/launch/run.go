package launch

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Run runs the job until its bounded input is processed and published, until it is stopped,
// until it fails for good, or until ctx ends. If Config.StopGrace allows, a last checkpoint is
// taken when ctx ends, and no error is returned. With an error, too, the report says how far
// the job came.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	c = c.withDefaults()
	stop, err := record(c.Profiles)
	if err != nil {
		return Report{}, err
	}
	report, err := run(ctx, c)
	return report, errors.Join(err, stop())
}

func run(ctx context.Context, c Config) (report Report, err error) {
	meter := startMeter()
	report.Job, report.Memory = c.JobID, c.memory(gcPercent())
	c.Logger.Info("memory that the job may take", "job", c.JobID, "bytes", report.Memory)
	limits := hostLimits(c.StateDir)
	c.warnOfLimits(report.Memory, limits)
	c.Rocks.OpenFiles = c.openFiles(limits)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var p parts
	if err = p.open(ctx, c); err == nil {
		p.serve(c, func() { cancel(checkpoint.ErrCancelled) })
		stop, sampled := watch(c.Progress, c.ProgressEvery, &p.metrics, p.coordinator), sample(meter, &p.metrics)
		counted := func() {}
		if p.coordinator != nil && c.Checkpoints.Records > 0 {
			counted = countRecords(&p.metrics, p.coordinator)
		}
		ending := p.stopping(c)
		ending.begin(ctx)
		var result engine.Result
		result, err = engine.Run(ending.job, c.Job, p.config(c))
		report.Stopped, err = ending.end(err)
		p.ended(ctx, err)
		counted()
		stop()
		report.add(result)
		report.Series = sampled()
	}
	if p.store != nil && damaged(err) {
		err = fmt.Errorf("%w; %s", err, p.wayOut(ctx))
	}
	err = errors.Join(err, p.close(ctx))
	report.Checkpoints, report.Newest = p.checkpoints(), p.newest()
	report.WallS, report.CPUS = meter.elapsed()
	report.Usage = usage().since(meter.usage)
	return report, err
}

// damaged reports whether a run ended because its checkpoint is not there as a whole.
func damaged(err error) bool {
	var manifest *incremental.CorruptManifestError
	return errors.Is(err, upload.ErrNotExist) || errors.Is(err, upload.ErrCorrupt) || errors.Is(err, incremental.ErrCorruptState) || errors.As(err, &manifest)
}

// wayOut names the checkpoint that a job with a damaged one can start from.
func (p *parts) wayOut(ctx context.Context) string {
	switch id, ok, err := coordinator.NewestWhole(ctx, p.store); {
	case err != nil:
		return fmt.Sprintf("which checkpoint is whole is not known: %v", err)
	case !ok:
		return "no retained checkpoint has all of its objects"
	default:
		return fmt.Sprintf("the newest checkpoint that has all of its objects is %v: --restore %v", id, id)
	}
}
