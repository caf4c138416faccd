package suite

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/observe"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// updateRun is a run of update that has ended.
type updateRun struct {
	report launch.Report
	watch  *observe.Watch
	store  upload.Store // the job's
}

// runUpdate runs the job update in this process.
func runUpdate(ctx context.Context, dir, store string, o jobs.Options, interval time.Duration, set func(*launch.Config)) (updateRun, error) {
	job, _, err := jobs.Build("update", o)
	if err != nil {
		return updateRun{}, err
	}
	c := launch.Config{
		Job: job, Store: store, StateDir: filepath.Join(dir, "state"), Interval: interval,
		Logger: slog.New(slog.DiscardHandler),
	}
	if set != nil {
		set(&c)
	}
	r := updateRun{watch: observe.NewWatch(&c)}
	if r.report, err = launch.Run(ctx, c); err != nil {
		return r, err
	}
	if r.report.Checkpoints.Completed == 0 {
		return r, errors.New("no checkpoint was completed")
	}
	s, err := storeurl.Open(ctx, store, storeurl.Options{S3: c.S3})
	if err != nil {
		return r, err
	}
	r.store = upload.Prefixed(s, "update")
	return r, nil
}

// sample returns the figures of a run that shared this process with the suite:
// its memory is not told.
func (r updateRun) sample() experiment.Sample {
	s := experiment.SampleOf(r.report, r.report.CPUS)
	delete(s.Values, experiment.RSSBytes)
	return s
}
