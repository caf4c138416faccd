package engine

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Processor is the logic of a keyed operator. One instance serves one subtask
// and belongs to its goroutine. K is the key, T a record, U a result.
type Processor[K comparable, T, U any] interface {
	// Open makes the operator's states, before the first record.
	Open(c OpenContext) error
	// Process handles one record; c is valid during the call, and states read
	// with it are those of the record's key.
	Process(c Context[K], v T, out Out[U]) error
}

// KeyFinisher is a Processor that has something to say at the end of bounded
// input: FinishKey is called once for every key that has state, in no order.
type KeyFinisher[K comparable, U any] interface {
	FinishKey(c Context[K], out Out[U]) error
}

// Finisher is a Processor that is called once at the end of bounded input,
// after FinishKey.
type Finisher[U any] interface {
	Finish(out Out[U]) error
}

// OpenContext is what a processor's subtask knows when it opens.
type OpenContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	States      *state.Registry
}

// Registry implements state.OpenContext.
func (c OpenContext) Registry() *state.Registry { return c.States }
