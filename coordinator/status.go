package coordinator

import (
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// State is where a checkpoint is in its life.
type State uint8

// The states of a checkpoint, in order; Aborted is reached only before
// Completed.
const (
	Triggered  State = iota + 1 // decided
	Aligning                    // barriers are on their way
	Persisting                  // a subtask has acknowledged
	Committing                  // all have; the manifest, and then head, are written
	Completed                   // head has it
	Subsumed                    // head dropped it
	Discarded                   // the objects that it alone reached are deleted
	Aborted                     // it will never be committed
)

// String names the state in lower case.
func (s State) String() string {
	if s < Triggered || s > Aborted {
		return "unknown"
	}
	return [...]string{"triggered", "aligning", "persisting", "committing", "completed", "subsumed", "discarded", "aborted"}[s-1]
}

// Report describes a checkpoint that ended.
type Report struct {
	history.Checkpoint
	// Err is why it failed; nil: it was completed.
	Err error
}

// Listener has functions that the coordinator calls when something happens.
// They may be nil. They are called one at a time, from the coordinator's
// goroutine, and must neither block nor call the coordinator.
type Listener struct {
	// Moved is called when a checkpoint enters a state.
	Moved func(checkpoint.ID, State)
	// Ended is called when a checkpoint is completed or aborted.
	Ended func(Report)
	// Alarm is called when an alarm is raised, every ten minutes while it lasts,
	// and when it is over.
	Alarm func(Alarm)
}

// Pending describes a checkpoint under way.
type Pending struct {
	ID              checkpoint.ID
	Kind            checkpoint.Kind
	Trigger         history.Trigger
	State           State
	Triggered       time.Time
	Acked, Subtasks int
	Parts           []history.Part // of those that acknowledged; never changed in place
	// InDoubtSince is when its commit came to be in doubt; zero: it is not.
	InDoubtSince time.Time
}

// Status says what a coordinator has done so far. It is a copy.
type Status struct {
	Epoch  checkpoint.Epoch
	Leads  bool  // a newer leader may exist that it has not noticed yet
	Fenced error // why it stopped leading; nil: it did not

	// Restored is what the newest attempt was started from, nil: from nothing, or none
	// was started yet.
	Restored *Restored

	// Stopped is what head says of a stop of this leader's job; nil: nothing. Resumed is
	// what it said before this leader took over.
	Stopped, Resumed *Stopped

	Retained []Retained
	Pending  []Pending
	// Last is the newest checkpoint that this leader completed, LastAborted the
	// newest that it aborted; nil: none yet.
	Last, LastAborted *Report

	// Completed, Failed and Aborted count checkpoints of this leader. Failed are
	// those of the aborted ones that count as failures, and one for each minute that
	// a commit was in doubt.
	Completed, Failed, Aborted int
	ConsecutiveFailures        int
	// AbortedBy counts the aborted ones by cause: "declined", "timeout", …
	AbortedBy map[string]int
	// NewBytes and FullBytes are sums over the completed ones.
	NewBytes, FullBytes int64

	// Alarms are those that are not over.
	Alarms  []Alarm
	Cleaner CleanerStatus
}

// Restored says what an attempt was started from.
type Restored struct {
	Ref
	At time.Time // when the attempt was started
}

// Survey is what a sweep found in the job's store. Objects of the epoch that leads which
// no checkpoint reaches may be of one under way: they are in Stored only.
type Survey struct {
	At                               time.Time // zero: there was none yet
	Stored, Reachable, Dead, Foreign Amount    // Dead: nothing can ever reach them
}

// CleanerStatus counts what deletion has done so far, and says why it waits.
type CleanerStatus struct {
	Doomed   int  // objects whose deletion was decided
	Deleted  int  // objects that were deleted
	Waiting  int  // objects that wait to be deleted
	Sweeping bool // a sweep runs or is due
	Failures int  // requests that failed; they are tried again
	// LeftToSweep counts objects that were given up: a later sweep deletes them.
	LeftToSweep int
	// Uploads counts unfinished multipart uploads that were ended.
	Uploads int
	// Survey is of the last sweep: that of the start, or a later one.
	Survey Survey
	// Unknown are names in the store that are not the job's, at most 100: they
	// are never deleted.
	Unknown []string
	// Paused is the error for which deletion waits before it is tried again; Halted
	// the one for which nothing is deleted until the next start. Nil: none.
	Paused, Halted error
}

// AlarmCode names a kind of alarm, for rules and dashboards.
type AlarmCode string

// The kinds of alarm.
const (
	// CommitInDoubt: the outcome of a commit is not known for over a minute.
	// Records go on, and nothing is committed until the store answers.
	CommitInDoubt AlarmCode = "commit-in-doubt"
	// CheckpointsFailing: three or more checkpoints in a row failed.
	CheckpointsFailing AlarmCode = "checkpoints-failing"
	// DeletionPaused: requests to delete, or to look for what can be deleted,
	// fail for over a minute. They are tried again for ever; meanwhile objects
	// pile up.
	DeletionPaused AlarmCode = "deletion-paused"
	// DeletionHalted: a manifest is missing, damaged or of a newer format, so
	// nothing is deleted until the job is started again.
	DeletionHalted AlarmCode = "deletion-halted"
	// LeadershipLost: a newer leader took over, or head is gone.
	LeadershipLost AlarmCode = "leadership-lost"
)

// Alarm is something that a person must look into.
type Alarm struct {
	Code    AlarmCode
	Text    string
	Since   time.Time
	Cleared bool // it is over
}

// Newest is the id of the newest retained checkpoint; zero: none.
func (s Status) Newest() checkpoint.ID { return newestOf(s.Retained) }
