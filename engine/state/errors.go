package state

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Errors of states and codecs.
var (
	// ErrIncompatible: what a checkpoint holds does not fit the state that the
	// job declares. No restart mends it.
	ErrIncompatible = errors.New("incompatible state")
	// ErrCorrupt: stored bytes are not what the codec wrote.
	ErrCorrupt = errors.New("corrupt encoding")
	// ErrUnsupported: no codec can be derived for a type.
	ErrUnsupported = errors.New("unsupported type")
)

// PersistError says why a snapshot did not become durable, and which objects
// may exist in the store on its account, now or later. No handle names them.
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
