package deploy

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Failure says why an attempt failed. It is an error that can be sent.
type Failure struct {
	Kind     FailureKind
	Operator checkpoint.OperatorID // whose code failed; empty: no operator's
	Index    int                   // of the operator's subtask
	Text     string                // for people
	Stack    string                // of a panic
	// Cause is the error itself, where it happened in the driver's process. It
	// is not sent.
	Cause error `json:"-"`
}

// Error returns the text.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns the cause, or the sentinel error that the kind stands for.
func (f *Failure) Unwrap() error {
	switch {
	case f.Cause != nil:
		return f.Cause
	case f.Kind == FailureFenced:
		return checkpoint.ErrFenced
	case f.Kind == FailureStopped:
		return checkpoint.ErrStopped
	case f.Kind == FailureCancelled:
		return checkpoint.ErrCancelled
	case f.Kind == FailureGraph:
		return checkpoint.ErrGraphMismatch
	case f.Kind == FailureRepeated:
		return ErrRepeated
	}
	return nil
}

// ErrRepeated: the same failure came again and again, with no checkpoint between.
// The job ends, since the next attempt would only meet it again.
var ErrRepeated = errors.New("given up")

// FailureKind says what a failure means for the job.
type FailureKind uint8

// The kinds of failure.
const (
	FailureOther        FailureKind = iota // a restart may help
	FailurePanic                           // a user's function panicked
	FailurePeer                            // the connection to another host broke
	FailureLost                            // a host is gone
	FailurePermanent                       // the failing code marked it: a restart cannot help
	FailureFenced                          // another leader took over
	FailureGraph                           // the job does not fit its checkpoint
	FailureIncompatible                    // a state does not fit its checkpoint
	FailureRepeated                        // the same failure came too often
	FailureQuit                            // the job was told to end
	FailureStopped                         // the job was stopped; its last checkpoint is committed
	FailureCancelled                       // the job was ended without a last checkpoint
)

var failureNames = []string{"other", "panic", "peer", "lost", "permanent", "fenced", "graph", "incompatible", "repeated", "quit", "stopped", "cancelled"}

// String names the kind in lower case.
func (k FailureKind) String() string {
	if int(k) < len(failureNames) {
		return failureNames[k]
	}
	return fmt.Sprintf("failure(%d)", uint8(k))
}

// Permanent reports whether a restart cannot help after a failure of this kind.
func (k FailureKind) Permanent() bool {
	switch k {
	case FailurePermanent, FailureFenced, FailureGraph, FailureIncompatible, FailureRepeated, FailureStopped, FailureCancelled:
		return true
	}
	return false
}
