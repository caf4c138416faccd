package deploy

import (
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Failure says why a part of an attempt failed.
type Failure struct {
	Kind     FailureKind
	Operator checkpoint.OperatorID // empty: none is to blame
	Index    int                   // of the operator's subtask
	Text     string                // for people
	Stack    string                // of a panic
}

// FailureKind says what a failure means for the job.
type FailureKind uint8

// The kinds of failure.
const (
	FailureOther        FailureKind = iota // a restart may mend it
	FailurePanic                           // a user's function panicked
	FailurePeer                            // the connection to another host broke
	FailurePermanent                       // no restart mends it, says who failed
	FailureFenced                          // another leader took over
	FailureGraph                           // the job does not fit its checkpoint
	FailureIncompatible                    // a state does not fit its checkpoint
)

var failureNames = []string{"other", "panic", "peer", "permanent", "fenced", "graph", "incompatible"}

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
