package launch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/cmd/metrics"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// listen opens the socket of the job's API, so that head can say where the leader is
// reached.
func (p *parts) listen(ctx context.Context, c Config) (err error) {
	if c.HTTP.Address == "" {
		return nil
	}
	if p.server, err = api.Listen(ctx, c.HTTP, c.Logger); errors.Is(err, api.ErrListen) && c.HTTP.Near {
		c.Logger.Warn("the API is not served", "job", c.JobID, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func(ctx context.Context) error {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		p.server.Close(closing)
		return nil
	})
	return nil
}

// serve begins to answer requests. cancel ends the run.
func (p *parts) serve(c Config, cancel func()) {
	if p.server == nil {
		return
	}
	j := api.Job{
		ID: c.JobID, Version: c.Checkpoints.Writer, Graph: c.graph(), Started: time.Now(), Metrics: &p.metrics, Cancel: cancel,
		Checkpoints: c.checkpointConfig(), Prometheus: metrics.Handler(p.measured(c)),
	}
	if p.coordinator != nil {
		j.Coordinator, j.Store = p.coordinator, p.store
	}
	p.server.Serve(j)
	if c.Serving != nil {
		c.Serving(p.server.URL())
	}
}

// ended tells whoever still asks how the job ended.
func (p *parts) ended(ctx context.Context, err error) {
	if p.server == nil {
		return
	}
	switch {
	case err == nil && !errors.Is(context.Cause(ctx), checkpoint.ErrCancelled):
		p.server.Ended(api.Finished)
	case ctx.Err() != nil:
		p.server.Ended(api.Canceled)
	default:
		p.server.Ended(api.Failed)
	}
}

// checkpointConfig says how checkpoints are taken, with the coordinator's defaults.
func (c Config) checkpointConfig() api.CheckpointConfig {
	o := c.Checkpoints
	if o.Timeout == 0 {
		o.Timeout = coordinator.DefaultTimeout
	}
	if o.TolerableFailures == 0 {
		o.TolerableFailures = coordinator.DefaultTolerableFailures
	}
	return api.CheckpointConfig{
		Mode: strings.ReplaceAll(c.Engine.Mode.String(), "-", "_"), IntervalMS: c.Interval.Milliseconds(), TimeoutMS: o.Timeout.Milliseconds(),
		MinPauseMS: o.MinPause.Milliseconds(), MaxConcurrent: max(1, o.MaxConcurrent), Externalization: api.Externalization{Enabled: true},
		StateBackend: backend().Name, Storage: c.Store, Tolerable: o.TolerableFailures, AfterFinish: true,
	}
}
