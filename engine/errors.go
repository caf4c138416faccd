package engine

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/deploy"
	"github.com/tidemark/tidemark/engine/internal/panics"
	"github.com/tidemark/tidemark/engine/state"
)

// ErrBroken marks an error of Writer.Prepare after which the writer cannot be used
// any more. The attempt fails and is restarted; otherwise only the checkpoint is
// declined.
var ErrBroken = errors.New("writer is broken")

type permanentError struct{ err error }

func (e permanentError) Error() string { return e.err.Error() }
func (e permanentError) Unwrap() error { return e.err }

// Permanent marks an error that would come again after a restart, such as malformed
// input: the job fails at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// KindOf returns what an error means for the job. It alone decides whether a restart
// can help.
func KindOf(err error) deploy.FailureKind {
	var permanent permanentError
	var panicked *PanicError
	var failure *deploy.Failure
	switch {
	case errors.As(err, &failure):
		return failure.Kind
	case errors.Is(err, checkpoint.ErrFenced):
		return deploy.FailureFenced
	case errors.Is(err, checkpoint.ErrStopped):
		return deploy.FailureStopped
	case errors.Is(err, checkpoint.ErrCancelled):
		return deploy.FailureCancelled
	case errors.Is(err, checkpoint.ErrGraphMismatch):
		return deploy.FailureGraph
	case errors.Is(err, deploy.ErrRepeated):
		return deploy.FailureRepeated
	case errors.Is(err, state.ErrIncompatible), errors.Is(err, state.ErrUndeclared):
		return deploy.FailureIncompatible
	case errors.As(err, &permanent), errors.Is(err, checkpoint.ErrUnrestorable), errors.Is(err, checkpoint.ErrRefused), errors.Is(err, state.ErrUnsupported):
		return deploy.FailurePermanent
	case errors.As(err, &panicked):
		return deploy.FailurePanic
	}
	return deploy.FailureOther
}

// failureOf turns an error into a failure that can be sent; nil for nil. at is the
// operator whose code ran; nil: none.
func failureOf(err error, at *opInfo) *deploy.Failure {
	if err == nil {
		return nil
	}
	f := &deploy.Failure{Kind: KindOf(err), Text: err.Error(), Cause: err}
	if at != nil {
		f.Operator, f.Index = at.id, at.index
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		f.Operator, f.Stack = p.Operator, string(p.Stack)
	}
	return f
}

// IsPermanent reports whether a restart cannot help: err was marked by Permanent, or
// the job was fenced, or it does not fit its checkpoint.
func IsPermanent(err error) bool { return KindOf(err).Permanent() }

// PanicError is a panic in a user's code, as an error.
type PanicError struct {
	Operator checkpoint.OperatorID
	At       string // what was being done, such as "process record of key 7"; empty: not known
	Value    any
	Where    string // the functions that were running, the user's first
	Stack    []byte // all of it, as debug.Stack has it
}

// newPanic is for the deferred function that has recovered v.
func newPanic(operator checkpoint.OperatorID, v any) *PanicError {
	return &PanicError{Operator: operator, Value: v, Where: panics.Where(), Stack: debug.Stack()}
}

// Error says in one line what panicked, and where.
func (e *PanicError) Error() string {
	at := ""
	if e.At != "" {
		at = e.At + ": "
	}
	return fmt.Sprintf("operator %q: %spanic: %v; in %s", e.Operator, at, e.Value, e.Where)
}

// Unwrap returns the panic's value, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
