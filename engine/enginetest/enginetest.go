package enginetest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

// Option changes how Run runs a job.
type Option func(*engine.Config)

// Parallelism sets the parallelism of the run. Default: 2.
func Parallelism(n int) Option { return func(c *engine.Config) { c.Parallelism = n } }

// Checkpoints takes checkpoints, with a pause of every after each.
func Checkpoints(every time.Duration) Option {
	return func(c *engine.Config) { c.Coordinator = &Coordinator{Every: every} }
}

// With uses the test's own coordinator: to trigger checkpoints, or to resume in a
// later Run.
func With(co *Coordinator) Option { return func(c *engine.Config) { c.Coordinator = co } }

// Restarts allows n restarts, without a delay. Default: the first failure is
// final.
func Restarts(n int) Option {
	return func(c *engine.Config) { c.Restart = engine.FixedDelay{Attempts: n} }
}

// Clock sets the clock by which values in state expire. Any goroutine may call
// now.
func Clock(now func() time.Time) Option { return func(c *engine.Config) { c.Clock = now } }

// Config changes any other field of the run's configuration.
func Config(edit func(*engine.Config)) Option { return edit }

// Execute runs a job with state in memory, and returns what engine.Run returns.
func Execute(ctx context.Context, j *engine.Job, opts ...Option) (engine.Result, error) {
	cfg := engine.Config{
		Parallelism: 2,
		Backends:    memstate.Factory{},
		Coordinator: &Coordinator{},
		Restart:     engine.NoRestart{},
		Logger:      slog.New(slog.DiscardHandler),
	}
	for _, o := range opts {
		o(&cfg)
	}
	return engine.Run(ctx, j, cfg)
}

// Run is Execute in a test. It fails the test if the job fails.
func Run(t testing.TB, j *engine.Job, opts ...Option) engine.Result {
	t.Helper()
	r, err := Execute(t.Context(), j, opts...)
	if err != nil {
		t.Fatalf("job %q: %v", j.Name(), err)
	}
	return r
}
