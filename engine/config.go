package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Mode says how often the state of a checkpoint counts each record.
type Mode uint8

// The modes.
const (
	// ExactlyOnce aligns: an input that delivered a barrier waits for the
	// others, and the state holds each record before it once.
	ExactlyOnce Mode = iota
	// AtLeastOnce never waits: after a restart some records may count twice.
	AtLeastOnce
)

// String names the mode.
func (m Mode) String() string {
	switch m {
	case ExactlyOnce:
		return "exactly-once"
	case AtLeastOnce:
		return "at-least-once"
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// DefaultSameFailures is the default of Config.SameFailures.
const DefaultSameFailures = 5

// Config says how a job runs.
type Config struct {
	// Identity names the job where several may write to one place. Zero: the job's
	// name, without a store.
	Identity Identity
	// Parallelism is the number of subtasks of sources, of keyed operators and of those
	// behind Rebalance or Broadcast, unless they have the option Parallelism. Zero: one
	// for each processor, at most the job's max parallelism.
	Parallelism int
	// Mode is ExactlyOnce by default.
	Mode Mode
	// Backends keep keyed state. Nil is enough for a job without keyed operators.
	Backends state.Factory
	// Coordinator takes the checkpoints. Nil: none are taken. Then a restart begins
	// from nothing, and sinks publish only at the end.
	Coordinator checkpoint.Coordinator
	// Restart decides what follows a failed attempt. Nil: Exponential with its
	// defaults if there is a Coordinator, else NoRestart.
	Restart RestartStrategy
	// SameFailures is how often the job may fail in the same way, in the same
	// operator with the same text, with no checkpoint between; then it ends,
	// whatever Restart says (deploy.ErrRepeated). Failures of the store, of the
	// coordinator and of hosts do not count. Zero: 5; negative: any number.
	SameFailures int
	// RateLimit bounds how many records all sources together read in a second.
	// Zero: no limit.
	RateLimit float64
	// BatchRecords is how many records travel together, at most. Where an operator is
	// slow, it is fewer, so that barriers pass; and where records have more than
	// RecordBytes. Zero: 512.
	BatchRecords int
	// QueueBatches is how many batches may wait between two subtasks, at most; then
	// the sender waits. Zero: 4.
	QueueBatches int
	// Clock is the clock by which values in state expire (state.TTL). Any goroutine
	// may call it. The store of Backends must use the same clock. Nil: time.Now.
	Clock func() time.Time
	// Logger gets restarts and what else happens to the job. Nil: slog.Default().
	Logger *slog.Logger
	// ProfileLabels marks goroutines with pprof labels "operator" and "phase"
	// (process, align, snapshot, persist).
	ProfileLabels bool
	// Metrics, if not nil, is filled in while the job runs.
	Metrics *Metrics
}

// Validate returns an error that names every field with an invalid value.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		n    int
	}{{"Parallelism", c.Parallelism}, {"BatchRecords", c.BatchRecords}, {"QueueBatches", c.QueueBatches}} {
		if f.n < 0 {
			errs = append(errs, fmt.Errorf("config: %s is %d: it must not be negative", f.name, f.n))
		}
	}
	if !(c.RateLimit >= 0) || math.IsInf(c.RateLimit, 1) {
		errs = append(errs, fmt.Errorf("config: RateLimit is %v: it must be a number of records a second, or zero for no limit", c.RateLimit))
	}
	if c.Mode > AtLeastOnce {
		errs = append(errs, fmt.Errorf("config: no such mode: %v", c.Mode))
	}
	if c.Restart != nil {
		if err := c.Restart.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("config: Restart: %w", err))
		}
	}
	return Permanent(errors.Join(errs...))
}

// WithDefaults returns c with its zero values replaced by their defaults for j.
func (c Config) WithDefaults(j *Job) Config {
	if c.Parallelism == 0 {
		c.Parallelism = min(runtime.GOMAXPROCS(0), j.groups())
	}
	if c.Identity.ID == "" {
		c.Identity.ID = j.name
	}
	if c.Restart == nil {
		if c.Coordinator == nil {
			c.Restart = NoRestart{}
		} else {
			c.Restart = Exponential{}
		}
	}
	if c.SameFailures == 0 {
		c.SameFailures = DefaultSameFailures
	}
	if c.BatchRecords == 0 {
		c.BatchRecords = 512
	}
	if c.QueueBatches == 0 {
		c.QueueBatches = 4
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = &Metrics{}
	}
	return c
}
