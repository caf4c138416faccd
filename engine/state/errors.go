package state

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Errors of states and codecs.
var (
	// ErrIncompatible: the state in a checkpoint does not fit the state that the
	// job declares. A restart does not help.
	ErrIncompatible = errors.New("incompatible state")
	// ErrUndeclared: the checkpoint holds states that the operator does not declare. A
	// restart does not help: declare them again, or drop them.
	ErrUndeclared = errors.New("the checkpoint holds states that the operator does not declare")
	// ErrCorrupt: stored bytes are not what the codec wrote.
	ErrCorrupt = errors.New("corrupt encoding")
	// ErrUnsupported: no codec can be derived for a type.
	ErrUnsupported = errors.New("unsupported type")
)

// PersistError says why a snapshot did not become durable, and which objects it
// may have left in the store, or may still leave there. No handle names them.
type PersistError struct {
	Checkpoint checkpoint.ID
	Operator   checkpoint.OperatorID
	Index      int
	Objects    []string
	Err        error
}

// Error says what failed.
func (e *PersistError) Error() string {
	return fmt.Sprintf("persist state of %s/%d for checkpoint %d: %v", e.Operator, e.Index, e.Checkpoint, e.Err)
}

// Unwrap returns the cause.
func (e *PersistError) Unwrap() error { return e.Err }
