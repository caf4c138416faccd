package checkpoint

import (
	"fmt"
	"time"
)

// Barrier starts a checkpoint. It travels with the records and separates those
// that belong to the checkpoint from those that do not.
type Barrier struct {
	ID    ID
	Epoch Epoch
	// Base is the committed checkpoint whose objects a subtask may reuse: the objects
	// of the handle there that this subtask wrote or was restored from, and no others.
	// Zero: reuse nothing.
	Base ID
	Kind Kind
	// Stop: it is the last before the job is stopped. A source reads nothing behind it
	// unless it is aborted.
	Stop bool
	// Triggered is when the coordinator decided to take the checkpoint.
	Triggered time.Time
}

// Ref returns the name of the barrier's checkpoint.
func (b Barrier) Ref() Ref { return Ref{b.ID, b.Epoch} }

// Timings says how long one subtask's part in a checkpoint took.
type Timings struct {
	Start time.Duration // from the trigger to the first barrier's arrival
	Align time.Duration // from the first barrier's arrival to the last's
	Sync  time.Duration // the record path stood still for the snapshot
	Async time.Duration // persisting beside the record path
}

// Ack says that a subtask's part of a checkpoint is durable.
type Ack struct {
	Checkpoint ID
	Execution
	Subtask   SubtaskID
	Operators []OperatorSnapshot
	Timings   Timings
}

// Ref returns the name of the checkpoint.
func (a Ack) Ref() Ref { return Ref{a.Checkpoint, a.Epoch} }

// Decline says that a subtask's part of a checkpoint will not come.
type Decline struct {
	Checkpoint ID
	Execution
	Subtask SubtaskID
	Code    DeclineCode
	Text    string // for people
	// Objects are those that the subtask uploaded, or began to upload, for the
	// checkpoint. They may appear in the store later. No handle names them.
	Objects []string
}

// Ref returns the name of the checkpoint.
func (d Decline) Ref() Ref { return Ref{d.Checkpoint, d.Epoch} }

// DeclineCode says why a subtask declines a checkpoint.
type DeclineCode uint8

// The reasons to decline.
const (
	DeclinePersist  DeclineCode = iota + 1 // the snapshot did not become durable
	DeclineDraining                        // all input has ended: the final checkpoint takes this one's place
	DeclineSkipped                         // an input delivered a newer barrier without this one
	DeclineBusy                            // too many earlier snapshots are being persisted
	DeclineSnapshot                        // the state could not be fixed
	DeclineTooLarge                        // the acknowledgement is larger than a message may be
	DeclineRefused                         // the store refused the snapshot, and will again: ErrRefused
)

var declineNames = []string{"none", "persist", "draining", "skipped", "busy", "snapshot", "too large", "refused"}

// String names the code in lower case.
func (c DeclineCode) String() string {
	if int(c) < len(declineNames) {
		return declineNames[c]
	}
	return fmt.Sprintf("decline(%d)", uint8(c))
}
