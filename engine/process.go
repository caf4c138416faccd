package engine

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Processor is the logic of a keyed operator: K is its key, T a record, U a result.
// An instance serves one subtask of one attempt and belongs to its goroutine. What
// must survive a restart belongs into states. A processor may also implement
// KeyFinisher and Finisher; a method of their names with another type is a mistake
// of the job.
type Processor[K comparable, T, U any] interface {
	// Open opens the operator's states, before the first record. Job.Validate calls
	// it too, on a processor that it then throws away: what Open declares wrongly is
	// a mistake of the job. The context of c ends then, and nothing may be read or
	// written.
	Open(c OpenContext) error
	// Process handles one record. States read and written with c are those of the
	// record's key. c is valid during the call. An error fails the attempt, and the
	// results that the attempt has not committed are dropped.
	Process(c Context[K], v T, out Out[U]) error
}

// KeyFinisher is implemented by a Processor with results at the end of bounded
// input: FinishKey is called once for each key that has state, in no order.
//
// No checkpoint is taken from the end of the input until all keys are finished; then the
// final one is. A failure meanwhile restarts from the newest checkpoint, and finishes all
// keys again.
type KeyFinisher[K comparable, U any] interface {
	FinishKey(c Context[K], out Out[U]) error
}

// Finisher is implemented by a Processor with results at the end of bounded input:
// Finish is called once for each subtask, after all FinishKey.
type Finisher[U any] interface {
	Finish(out Out[U]) error
}

// OpenContext says which subtask a processor serves. It is needed to open states.
type OpenContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	States      *state.Registry
}

// Registry implements state.OpenContext.
func (c OpenContext) Registry() *state.Registry { return c.States }
