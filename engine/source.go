package engine

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Source describes where a stream's records come from. It is a value without
// resources; the work is in the Readers that it opens.
type Source[T any] interface {
	// Splits lists the pieces of the input, for a job that starts from
	// nothing. They are dealt out round-robin to the source's subtasks, and
	// from then on live in the checkpoints: Splits is not asked again by a job
	// that resumes.
	Splits(ctx context.Context, parallelism int) ([]Split, error)
	// Open returns a reader of the subtask's splits, each from its position.
	Open(c SourceContext, splits []Split) (Reader[T], error)
}

// Split is a piece of an input and the position in it, opaque to the engine
// and small.
type Split []byte

// Reader reads one subtask's splits. It belongs to the subtask's goroutine.
type Reader[T any] interface {
	// Read appends up to cap(dst)-len(dst) records to dst and returns it. At
	// the end of the last split it returns io.EOF, with or without records.
	// It may return fewer records, or none, where more may follow later, but
	// then must have waited a little or until ctx ended.
	Read(ctx context.Context, dst []T) ([]T, error)
	// Splits returns all of the subtask's splits with the positions behind the
	// last record that Read returned; finished ones too.
	Splits() []Split
	Close() error
}

// SourceContext is what a source's subtask knows when it opens.
type SourceContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	// Malformed counts an input record that could not be read and was skipped;
	// err says where it lies and what is wrong.
	Malformed func(err error)
}

// Sink describes where a stream's records go. It is a value without
// resources; the work is in the Writers that it opens.
//
// Exactly-once sinks work in two phases. What is written between two barriers
// is made durable but stays invisible (Prepare); the description of it travels
// in the checkpoint; once the checkpoint is committed it is published
// (Publish). After a crash what the restored checkpoint holds is published
// again, to no further effect, and what dead attempts left is removed
// (Recover).
type Sink[T any] interface {
	// Recover is called once an attempt, before any Open.
	Recover(ctx context.Context, r Recovery) error
	Open(c SinkContext) (Writer[T], error)
}

// Recovery is what a sink's target has to be brought to before an attempt.
type Recovery struct {
	Operator checkpoint.OperatorID
	// Epoch is the coordinator's. A later one's output is not the attempt's to
	// touch: this coordinator is fenced then, and may not know it yet (I4).
	Epoch checkpoint.Epoch
	// Restored is the checkpoint that the attempt starts from; zero: it starts
	// from nothing.
	Restored checkpoint.ID
	// Pending holds what was prepared up to that checkpoint and may not have
	// been published: results of Prepare of all subtasks.
	Pending [][]byte
}

// Writer writes one subtask's records. It belongs to the subtask's goroutine.
type Writer[T any] interface {
	// Write takes a batch; the slice is the caller's again when it returns.
	Write(ctx context.Context, batch []T) error
	// Prepare makes all that was written since the last Prepare durable, and
	// describes what is to be published once checkpoint id is committed; nil:
	// nothing.
	Prepare(ctx context.Context, id checkpoint.ID) (pending []byte, err error)
	// Publish makes visible what was prepared. It may be called again with the
	// same, to no further effect (I6).
	Publish(ctx context.Context, pending [][]byte) error
	// Close frees the writer's resources. What was not prepared is dropped.
	Close() error
}

// SinkContext is what a sink's subtask knows when it opens. States that are
// made with it are operator states.
type SinkContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	Epoch       checkpoint.Epoch // 0 where no checkpoints are taken
	Attempt     checkpoint.Attempt
	States      *state.Registry
}

// Registry implements state.OpenContext.
func (c SinkContext) Registry() *state.Registry { return c.States }
