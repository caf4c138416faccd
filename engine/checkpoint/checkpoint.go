package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// ID numbers the checkpoints of a job. IDs only rise; zero is no checkpoint.
type ID uint64

// String renders the ID in decimal.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Epoch is the fencing number of a job's leader: each leader has a greater one
// than all before it. Zero is no epoch.
type Epoch uint64

// String renders the epoch in decimal.
func (e Epoch) String() string { return strconv.FormatUint(uint64(e), 10) }

// Attempt counts the executions of a job in one epoch, from 1.
type Attempt uint32

// OperatorID is the stable name of an operator, chosen by the job's author and
// unique in the job. See ValidOperatorID.
type OperatorID string

// MaxOperatorID is the greatest length of an OperatorID in bytes.
const MaxOperatorID = 64

// ValidOperatorID reports whether id has 1 to MaxOperatorID bytes out of
// a-z, 0-9, '_' and '-', and starts with a letter or digit: it becomes a part
// of object names and directories.
func ValidOperatorID(id OperatorID) bool {
	if len(id) == 0 || len(id) > MaxOperatorID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// SubtaskID names one parallel instance of a vertex of the running job. A
// vertex is a chain of operators and goes by the name of its first.
type SubtaskID struct {
	Vertex OperatorID
	Index  int
}

// String renders the subtask as "vertex/index".
func (s SubtaskID) String() string { return fmt.Sprintf("%s/%d", s.Vertex, s.Index) }

// Compare orders subtasks by vertex, then index.
func (s SubtaskID) Compare(o SubtaskID) int {
	return cmp.Or(cmp.Compare(s.Vertex, o.Vertex), cmp.Compare(s.Index, o.Index))
}

// Kind says why a checkpoint is taken.
type Kind uint8

// The kinds of checkpoint.
const (
	Periodic Kind = iota // the interval elapsed
	Manual               // somebody asked
	Final                // all input of a bounded job has been processed
)

// String names the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Periodic:
		return "periodic"
	case Manual:
		return "manual"
	case Final:
		return "final"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Barrier starts a checkpoint. It travels with the records and parts those
// that belong to the checkpoint from those that do not.
type Barrier struct {
	ID    ID
	Epoch Epoch
	// Base is the committed checkpoint whose objects a subtask may reuse: those
	// of the handles in it that the subtask wrote or was restored from, and no
	// others. Zero: reuse nothing.
	Base ID
	Kind Kind
	// Triggered is when the coordinator decided to take the checkpoint.
	Triggered time.Time
}

// StateHandle names the keyed state of one operator subtask at one checkpoint,
// durable in the store. What is behind it is the backend's business; the
// engine carries handles and never looks inside.
type StateHandle interface {
	// KeyGroups is the range whose keys the state holds.
	KeyGroups() keygroup.Range
	// FullBytes is the size of all the state, NewBytes that of what this
	// checkpoint uploaded.
	FullBytes() int64
	NewBytes() int64
}

// Redistribution says what becomes of operator state when the parallelism
// changes.
type Redistribution uint8

// The ways to redistribute operator state.
const (
	Split     Redistribution = iota // items are dealt out round-robin
	Union                           // every subtask gets all items of all
	Broadcast                       // every subtask gets the items of one: all hold the same
)

// OperatorState is state of an operator subtask that belongs to no key: a list
// of opaque items. Small: it travels in the acknowledgement and in the
// manifest.
type OperatorState struct {
	Name           string
	Redistribution Redistribution
	Codec          string // signature of the items' codec
	Items          [][]byte
}

// OperatorSnapshot is all that one subtask of one operator remembers.
type OperatorSnapshot struct {
	Operator OperatorID
	Index    int
	State    []OperatorState
	Keyed    StateHandle // nil: the operator has no keyed state
}

// Timings of one subtask's part in a checkpoint.
type Timings struct {
	Start time.Duration // from the trigger to the first barrier's arrival
	Align time.Duration // from the first barrier's arrival to the last's
	Sync  time.Duration // the record path stood still for the snapshot
	Async time.Duration // persisting beside the record path
}

// Ack says that a subtask's part of a checkpoint is durable.
type Ack struct {
	Checkpoint ID
	Epoch      Epoch
	Subtask    SubtaskID
	Attempt    Attempt
	Operators  []OperatorSnapshot
	Timings    Timings
}

// Decline says that a subtask's part of a checkpoint will not come.
type Decline struct {
	Checkpoint ID
	Epoch      Epoch
	Subtask    SubtaskID
	Attempt    Attempt
	Reason     error
}

// Restored is what an attempt starts from.
type Restored struct {
	Checkpoint ID
	Epoch      Epoch // the epoch that wrote it
	// Final: all input had been processed; there is nothing left to do but to
	// publish what sinks hold pending.
	Final     bool
	Graph     Graph
	Operators map[OperatorID][]OperatorSnapshot // by index
}

// Tasks is one attempt of a job, as its coordinator sees it. No method blocks
// on records or I/O.
type Tasks interface {
	// Subtasks lists all that must acknowledge a checkpoint.
	Subtasks() []SubtaskID
	// Trigger starts a checkpoint: a barrier enters at every source, or, for a
	// Final one, reaches every subtask directly.
	Trigger(Barrier)
	// Committed tells that a checkpoint is committed, so that sinks publish.
	Committed(ID)
	// Aborted tells that a checkpoint will never be.
	Aborted(ID, error)
	// Fail ends the attempt: checkpoints fail beyond what is tolerated, or the
	// coordinator was fenced (ErrFenced, after which there is no restart).
	Fail(error)
}

// Coordinator is the coordinator of a job's checkpoints, as an attempt of the
// job sees it. All methods may be called from any goroutine.
type Coordinator interface {
	// Attach begins an attempt and returns what it starts from, nil to start
	// empty. Checkpoints are triggered from Start on. An attempt is detached
	// before the next is attached.
	Attach(ctx context.Context, graph Graph, attempt Attempt) (*Restored, error)
	// Start tells that all subtasks run.
	Start(tasks Tasks)
	Ack(Ack)
	Decline(Decline)
	// Drain tells that all input has been read: no checkpoint starts from now
	// until Finish. Those under way go on.
	Drain()
	// Finish tells that all input has been processed, takes the Final
	// checkpoint, and returns once it is committed and Tasks were told so.
	Finish(ctx context.Context) error
	// Detach ends the attempt: its pending checkpoints are aborted.
	Detach()
}
