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

// Parallelism of the run. Without it: 2.
func Parallelism(n int) Option { return func(c *engine.Config) { c.Parallelism = n } }

// Checkpoints takes a checkpoint with every pause between.
func Checkpoints(every time.Duration) Option {
	return func(c *engine.Config) { c.Coordinator = &Coordinator{Every: every} }
}

// With uses a coordinator of the test's own: to trigger checkpoints, or to go
// on in a later Run from where one ended.
func With(co *Coordinator) Option { return func(c *engine.Config) { c.Coordinator = co } }

// Restarts allows so many restarts, at once. Without it a failure is final.
func Restarts(n int) Option {
	return func(c *engine.Config) { c.Restart = engine.FixedDelay{Attempts: n} }
}

// Clock has values in state expire by now, so that a test need not wait for
// them. Any goroutine calls it.
func Clock(now func() time.Time) Option { return func(c *engine.Config) { c.Clock = now } }

// Config changes anything else of the run.
func Config(edit func(*engine.Config)) Option { return edit }

// Execute runs a job with in-memory state and returns what engine.Run did.
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

// Run is Execute in a test, which fails when the job does.
func Run(t testing.TB, j *engine.Job, opts ...Option) engine.Result {
	t.Helper()
	r, err := Execute(t.Context(), j, opts...)
	if err != nil {
		t.Fatalf("job %q: %v", j.Name(), err)
	}
	return r
}
