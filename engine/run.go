package engine

import (
	"context"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Result is what a job did.
type Result struct {
	// Records is what the sources read, from the job's first start on, over all
	// restarts; Malformed what they skipped.
	Records   int64
	Malformed int64
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
	return run(ctx, j, cfg)
}
