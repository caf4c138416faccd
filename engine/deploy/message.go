package deploy

import "github.com/tidemark/tidemark/engine/checkpoint"

// Command is what a driver tells a host. The commands of one execution reach a
// host in the order in which they were sent.
type Command interface{ isCommand() }

type (
	// Deployment makes a host build and open subtasks. It reports Opened once
	// all have verified what they start from.
	Deployment struct {
		Restored    checkpoint.ID // the checkpoint to start from; zero: none
		Parallelism int           // of operators that do not say their own
		Placement   Placement
		Subtasks    []Subtask // the host's
		RateLimit   float64   // the host's share, in records a second; zero: no limit
	}
	// Begin lets records move: all hosts have opened their subtasks.
	Begin struct{}
	// Trigger starts a checkpoint.
	Trigger struct{ Barrier checkpoint.Barrier }
	// Committed says that a checkpoint is committed: sinks publish.
	Committed struct{ Ref checkpoint.Ref }
	// Aborted says that a checkpoint will never be committed.
	Aborted struct {
		Ref      checkpoint.Ref
		Reason   string
		TimedOut bool // it took too long
	}
	// Drain ends the sources' streams: all input of the job has been read.
	Drain struct{}
	// Stop ends the execution well. Publish: no checkpoints are taken, so sinks
	// publish everything first.
	Stop struct{ Publish bool }
	// Cancel ends the execution at once.
	Cancel struct{}
)

func (Deployment) isCommand() {}
func (Begin) isCommand()      {}
func (Trigger) isCommand()    {}
func (Committed) isCommand()  {}
func (Aborted) isCommand()    {}
func (Drain) isCommand()      {}
func (Stop) isCommand()       {}
func (Cancel) isCommand()     {}

// Subtask is what a host builds a subtask from.
type Subtask struct {
	ID        checkpoint.SubtaskID
	Operators []Operator // its chain, inputs before consumers
}

// Operator is what one operator of a subtask starts from.
type Operator struct {
	ID      checkpoint.OperatorID
	Splits  [][]byte // of a source that starts from nothing
	States  []checkpoint.OperatorState
	Handles []checkpoint.StateHandle // those that overlap the subtask's key groups
	Drop    []string                 // states of the checkpoint that the operator no longer has
}

// HandleCodec encodes the state handles of deployments and acknowledgements that leave
// the process. The bytes hold the version of their format.
type HandleCodec interface {
	EncodeHandle(checkpoint.StateHandle) ([]byte, error)
	DecodeHandle([]byte) (checkpoint.StateHandle, error)
}

// Report is what a host tells its driver.
type Report struct {
	Worker    WorkerID
	Execution checkpoint.Execution
	Event     Event
}

// Event is what happened at a host.
type Event interface{ isEvent() }

type (
	// Opened says that all subtasks are open.
	Opened struct{}
	// Exhausted says that the host's sources have nothing more to read. A host without
	// sources reports it as soon as it begins.
	Exhausted struct{}
	// Ended says that all subtasks have processed all their input.
	Ended struct{}
	// Failed says that a subtask failed. The execution waits for Cancel.
	Failed struct{ Failure *Failure }
	// Stopped says that nothing of the execution runs any more.
	Stopped struct{}
	// Acked carries an acknowledgement to the coordinator.
	Acked struct{ Ack checkpoint.Ack }
	// Declined carries a decline to the coordinator.
	Declined struct{ Decline checkpoint.Decline }
)

func (Opened) isEvent()    {}
func (Exhausted) isEvent() {}
func (Ended) isEvent()     {}
func (Failed) isEvent()    {}
func (Stopped) isEvent()   {}
func (Acked) isEvent()     {}
func (Declined) isEvent()  {}
