package checkpoint

import "context"

// Tasks is one attempt of a job, as its coordinator sees it. No method blocks
// on records or I/O.
type Tasks interface {
	// Subtasks lists all that must acknowledge a checkpoint.
	Subtasks() []SubtaskID
	// Trigger starts a checkpoint: a barrier enters at every source, or, for a
	// Final one, reaches every subtask directly.
	Trigger(Barrier)
	// Committed says that a checkpoint is committed, so that sinks publish.
	Committed(Ref)
	// Aborted says that a checkpoint will never be committed, and why.
	Aborted(Ref, error)
	// Fail ends the attempt: more checkpoints in a row failed than are tolerated, or the
	// coordinator was fenced (ErrFenced), or the job stopped (ErrStopped, ErrCancelled);
	// after these there is no restart. After ErrStopped the subtasks first act on what
	// Committed told them.
	Fail(error)
}

// Coordinator coordinates a job's checkpoints, as the job's driver sees it.
// All methods may be called from any goroutine.
type Coordinator interface {
	// Epoch is the epoch that the coordinator leads. It never changes.
	Epoch() Epoch
	// Attach begins an attempt and returns what it starts from, nil to start
	// empty. Checkpoints are triggered from Start on. An attempt is detached
	// before the next is attached.
	Attach(ctx context.Context, graph Graph, attempt Attempt) (*Restored, error)
	// Start says that all subtasks of an execution run. It has no effect
	// unless the execution is the one attached.
	Start(x Execution, tasks Tasks)
	Ack(Ack)
	Decline(Decline)
	// Drain says that all input has been read: no checkpoint starts from now
	// until Finish. Those under way go on.
	Drain()
	// Finish says that all input has been processed. It takes the Final checkpoint,
	// and returns after Tasks.Committed was called for it.
	Finish(ctx context.Context) error
	// Detach ends the attempt: its pending checkpoints are aborted. Once it
	// returned, no method of the attempt's Tasks is called any more. Declines
	// of the attempt may still come, to name what it left in the store.
	Detach()
}
