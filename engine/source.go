package engine

import (
	"context"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Source describes where a stream's records come from. It holds no resources; the
// Readers that it opens do the work.
type Source[T any] interface {
	// Splits lists the pieces of the input for a job that starts from nothing. They
	// are dealt out round-robin to the source's subtasks. From then on they are kept
	// in the checkpoints: a job that resumes does not call Splits.
	Splits(ctx context.Context, parallelism int) ([]Split, error)
	// Open returns a reader of the subtask's splits, each from its position.
	Open(c SourceContext, splits []Split) (Reader[T], error)
}

// Split is a piece of an input and the position in it. It is opaque to the engine,
// and should be small: every checkpoint holds all splits.
type Split []byte

// Reader reads one subtask's splits. It belongs to the subtask's goroutine.
type Reader[T any] interface {
	// Read appends up to cap(dst)-len(dst) records to dst and returns it. At the end
	// of the last split it returns io.EOF, with or without records. If more records
	// may come later, it may return fewer or none, after it has waited a little or
	// ctx has ended.
	Read(ctx context.Context, dst []T) ([]T, error)
	// Splits returns all of the subtask's splits, finished ones too, with their
	// positions after the last record that Read returned.
	Splits() []Split
	Close() error
}

// SourceContext says which subtask of a source opens a Reader.
type SourceContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	// Malformed counts a record that could not be read and was skipped. err says
	// where it lies and what is wrong with it. It may be used until Malformed returns.
	// Not before Open has returned.
	Malformed func(err error)
}

// Quarantiner is an optional method of sources, called once by From. Each error that
// a reader gives to SourceContext.Malformed goes to the sink, which is an operator of
// the job, named for the source with "-malformed" behind it: what it keeps is
// exactly-once if the sink is. Its records are not counted as written. Nil: nothing
// is kept.
type Quarantiner interface{ Quarantine() Sink[error] }

// Overlooker is an optional method of sources, for input that a job does not read
// because Splits is called only at its beginning.
type Overlooker interface {
	// Overlooked returns names of what Splits would list now and is in none of the
	// splits, which are all of a checkpoint's. It is called when a job resumes.
	Overlooked(ctx context.Context, splits []Split) ([]string, error)
}

// Sink describes where a stream's records go. It holds no resources; the Writers
// that it opens do the work.
//
// An exactly-once sink works in two phases. At a barrier, Prepare makes what was
// written since the last one durable but not visible, and describes it; the
// checkpoint holds the description. Once the checkpoint is committed, Publish makes
// it visible. After a crash, Recover publishes what the restored checkpoint holds,
// which may have been published before, and removes what dead attempts left.
type Sink[T any] interface {
	// Recover is called once for each attempt, before any Open.
	Recover(ctx context.Context, r Recovery) error
	Open(c SinkContext) (Writer[T], error)
}

// Recovery is the state to which a sink brings its target before an attempt.
type Recovery struct {
	Job      Identity
	Operator checkpoint.OperatorID
	// Epoch is the coordinator's. Output of a later epoch must not be touched: this
	// coordinator is fenced then, and may not know it yet (I4).
	Epoch checkpoint.Epoch
	// Restored is the checkpoint from which the attempt starts. Zero: it starts from
	// nothing.
	Restored checkpoint.ID
	// Pending holds what was prepared up to that checkpoint and may not be published
	// yet: results of Prepare, of all subtasks.
	Pending [][]byte
}

// Writer writes one subtask's records. It belongs to the subtask's goroutine.
type Writer[T any] interface {
	// Write takes a batch. The slice belongs to the caller again when Write returns.
	Write(ctx context.Context, batch []T) error
	// Prepare makes durable what was written since the last Prepare, and returns a
	// description of what to publish once checkpoint id is committed. Nil: nothing.
	Prepare(ctx context.Context, id checkpoint.ID) (pending []byte, err error)
	// Publish makes visible what Prepare described. A second call with the same has
	// no effect (I6).
	Publish(ctx context.Context, pending [][]byte) error
	// Close frees the writer's resources. It drops what was not prepared.
	Close() error
}

// SinkContext says which subtask of a sink opens a Writer. States opened with it are
// operator states.
type SinkContext struct {
	context.Context
	Operator    checkpoint.OperatorID
	Index       int
	Parallelism int
	Job         Identity
	Epoch       checkpoint.Epoch // 0 where no checkpoints are taken
	Attempt     checkpoint.Attempt
	States      *state.Registry
}

// Registry implements state.OpenContext.
func (c SinkContext) Registry() *state.Registry { return c.States }
