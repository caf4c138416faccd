package coordinator

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Defaults of Options.
const (
	DefaultTimeout           = 10 * time.Minute
	DefaultRetain            = 3
	DefaultTolerableFailures = 10
	DefaultDeletesPerSecond  = 1000
	DefaultRequestTimeout    = time.Minute
)

// Options say how a job's checkpoints are taken and kept.
type Options struct {
	// Store is the job's own: all names in it are below <root>/<job>/.
	// Required.
	Store upload.Store
	// Job is the job's id, as manifests state it. Required.
	Job string
	// Graph is the job's. If it does not fit the checkpoint to start from, Open
	// fails before it changes anything. Required.
	Graph checkpoint.Graph
	// Backend is the local store of the job's subtasks. If a newer one wrote the state of
	// the checkpoint to start from, Open fails before it changes anything. Zero: any
	// state will do.
	Backend incremental.BackendInfo
	// Writer names the program and its version, for people who read a manifest.
	Writer string

	// Leader is the address of the leader's API, "host:port", for tools that find it in
	// head. Empty: it serves none.
	Leader string

	// Interval is the time from one periodic checkpoint's trigger to the next.
	// Zero: none is periodic.
	Interval time.Duration
	// Records starts a checkpoint after so many records since the trigger of the last
	// one, if the interval does not. Coordinator.Progress counts them. Zero: however
	// many.
	Records int64
	// MinPause is the least time from the end of a checkpoint to the trigger of
	// the next periodic one.
	MinPause time.Duration
	// MaxConcurrent bounds the pending checkpoints. Zero: 1.
	MaxConcurrent int
	// Timeout is how long a checkpoint may be pending. After one that took longer the
	// next gets twice the time, and after one that completed twice what that took, but
	// never less than Timeout, and at most a week. Zero: DefaultTimeout.
	Timeout time.Duration
	// TolerableFailures is how many checkpoints in a row may fail; with one more
	// the attempt fails. A checkpoint counts if a subtask declined it, or its
	// manifest or head could not be written. It does not count if it timed out, which
	// no restart mends, if a newer one overtook it, or if its attempt ended. Zero:
	// DefaultTolerableFailures; negative: any number.
	TolerableFailures int

	// Retention says which checkpoints are kept, where head does not say so yet: a new
	// job's head gets it, and from then on head's counts. Zero: the newest
	// DefaultRetain.
	Retention RetentionPolicy
	// Restore chooses what the first attempt starts from. Zero: the newest.
	Restore Restore
	// Resume says to start a job that was stopped on purpose (Head.Stopped), and to
	// remove that from head. Otherwise Open refuses it with ErrCannotLead.
	Resume bool
	// Drop names state of the checkpoint that the job no longer has. It is not
	// taken over; state that is neither in the job nor here is refused.
	Drop []checkpoint.Drop

	// DeletesPerSecond bounds how many objects are deleted a second. Zero:
	// DefaultDeletesPerSecond.
	DeletesPerSecond int
	// RequestTimeout bounds one request to the store, retries of the store's own
	// included. Zero: DefaultRequestTimeout.
	RequestTimeout time.Duration

	// Logger gets the progress of checkpoints, aborts and alarms. Nil:
	// slog.Default().
	Logger *slog.Logger
	// Listener's functions are called as checkpoints progress.
	Listener Listener
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	var bad []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Errorf("coordinator options: "+format, args...))
		}
	}
	check(o.Store != nil, "Store is missing: give the job's store")
	check(o.Job != "", "Job is empty: give the job's id")
	check(len(o.Graph.Operators) > 0, "Graph is empty: give the job's graph")
	check(o.Interval >= 0, "Interval is %v: give a positive duration, or 0 for no periodic checkpoints", o.Interval)
	check(o.Records >= 0, "Records is %d: give at least 1, or 0 for no checkpoints by records", o.Records)
	check(o.MinPause >= 0, "MinPause is %v: give a positive duration, or 0 for none", o.MinPause)
	check(o.MaxConcurrent >= 0, "MaxConcurrent is %d: give at least 1, or 0 for 1", o.MaxConcurrent)
	check(o.Timeout >= 0, "Timeout is %v: give a positive duration, or 0 for %v", o.Timeout, DefaultTimeout)
	if err := o.Retention.withDefaults().supported(); err != nil {
		check(false, "Retention: %w", err)
	}
	check(o.DeletesPerSecond >= 0, "DeletesPerSecond is %d: give at least 1, or 0 for %d", o.DeletesPerSecond, DefaultDeletesPerSecond)
	check(o.RequestTimeout >= 0, "RequestTimeout is %v: give a positive duration, or 0 for %v", o.RequestTimeout, DefaultRequestTimeout)
	return errors.Join(bad...)
}

// withDefaults returns the options with every zero value that has a default
// replaced.
func (o Options) withDefaults() Options {
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = 1
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.TolerableFailures == 0 {
		o.TolerableFailures = DefaultTolerableFailures
	}
	if o.DeletesPerSecond == 0 {
		o.DeletesPerSecond = DefaultDeletesPerSecond
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
