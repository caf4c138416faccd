package deploy

import (
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Failure says why an attempt failed. It is an error that can be sent.
type Failure struct {
	Kind     FailureKind
	Operator checkpoint.OperatorID // empty: none is to blame
	Index    int                   // of the operator's subtask
	Text     string                // for people
	Stack    string                // of a panic
	// Cause is the error itself, where it happened in the driver's process. It
	// is not sent.
	Cause error `json:"-"`
}

// Error returns the text.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns what is known of the cause.
func (f *Failure) Unwrap() error {
	switch {
	case f.Cause != nil:
		return f.Cause
	case f.Kind == FailureFenced:
		return checkpoint.ErrFenced
	case f.Kind == FailureGraph:
		return checkpoint.ErrGraphMismatch
	}
	return nil
}

// FailureKind says what a failure means for the job.
type FailureKind uint8

// The kinds of failure.
const (
	FailureOther        FailureKind = iota // a restart may mend it
	FailurePanic                           // a user's function panicked
	FailurePeer                            // the connection to another host broke
	FailureLost                            // a host is gone
	FailurePermanent                       // who failed says that no restart mends it
	FailureFenced                          // another leader took over
	FailureGraph                           // the job does not fit its checkpoint
	FailureIncompatible                    // a state does not fit its checkpoint
	FailureQuit                            // the job was told to end
)

var failureNames = []string{"other", "panic", "peer", "lost", "permanent", "fenced", "graph", "incompatible", "quit"}

// String names the kind in lower case.
func (k FailureKind) String() string {
	if int(k) < len(failureNames) {
		return failureNames[k]
	}
	return fmt.Sprintf("failure(%d)", uint8(k))
}

// Permanent reports whether no restart mends a failure of this kind.
func (k FailureKind) Permanent() bool {
	switch k {
	case FailurePermanent, FailureFenced, FailureGraph, FailureIncompatible:
		return true
	}
	return false
}
