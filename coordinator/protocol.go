package coordinator

import (
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// An event is something that the machine is told.
type event interface{ isEvent() }

type (
	// opened: lead the job.
	opened struct{}
	// headRead answers readHead: absent, a head with its ETag, or an error.
	headRead struct {
		absent bool
		head   Head
		etag   string
		err    error
	}
	// probed answers probe: the name of an object that there is, or none.
	probed struct {
		found string
		err   error
	}
	// swapped answers swapHead.
	swapped struct {
		outcome outcome
		etag    string // of the new head, where it won
		err     error  // why not
	}
	// manifestWritten answers writeManifest.
	manifestWritten struct {
		ref Ref
		err error
	}
	// attached: an attempt begins, and is to be told what it starts from.
	attached struct {
		graph   checkpoint.Graph
		attempt checkpoint.Attempt
	}
	// restored answers restore: the manifest, or an error.
	restored struct {
		ref      Ref
		manifest *incremental.Manifest
		err      error
	}
	// started: the subtasks of the attempt run.
	started struct {
		execution checkpoint.Execution
		subtasks  []checkpoint.SubtaskID
	}
	// acked and declined come from subtasks.
	acked    struct{ checkpoint.Ack }
	declined struct{ checkpoint.Decline }
	// asked: somebody wants a checkpoint now.
	asked struct{}
	// draining: all input was read; what follows is the final checkpoint.
	draining struct{}
	// finishing: all input was processed; take the final checkpoint.
	finishing struct{}
	// detached: the attempt is over.
	detached struct{}
	// ticked: time passed.
	ticked struct{}
)

func (opened) isEvent()          {}
func (headRead) isEvent()        {}
func (probed) isEvent()          {}
func (swapped) isEvent()         {}
func (manifestWritten) isEvent() {}
func (attached) isEvent()        {}
func (restored) isEvent()        {}
func (started) isEvent()         {}
func (acked) isEvent()           {}
func (declined) isEvent()        {}
func (asked) isEvent()           {}
func (draining) isEvent()        {}
func (finishing) isEvent()       {}
func (detached) isEvent()        {}
func (ticked) isEvent()          {}

// outcome is what became of a conditional write, as far as the writer knows.
type outcome uint8

const (
	unknown outcome = iota // it may be applied, now or later
	won                    // applied
	refused                // not applied; an earlier try of the same may have been
)

// An action is something that the machine wants done. Those that name an
// answer are answered by exactly one such event.
type action interface{ isAction() }

type (
	// readHead reads head; answered by headRead.
	readHead struct{}
	// probe looks for any object that only a head could account for; answered
	// by probed.
	probe struct{}
	// swapHead writes head where it still has the ETag, or, with none, where
	// there is no head; answered by swapped.
	swapHead struct {
		head Head
		etag string
	}
	// writeManifest puts a manifest; answered by manifestWritten.
	writeManifest struct{ manifest *incremental.Manifest }
	// restore reads a manifest for the attempt that waits; answered by restored.
	restore struct{ ref Ref }
	// attachDone ends an attach: what the attempt starts from (nil: empty), or
	// why it cannot.
	attachDone struct {
		manifest *incremental.Manifest
		err      error
	}
	// lead tells that this process leads.
	lead struct{ epoch checkpoint.Epoch }
	// stop tells that this coordinator does nothing more, and why.
	stop struct{ err error }
	// trigger, committed, aborted and fail speak to the attempt's tasks.
	trigger   struct{ checkpoint.Barrier }
	committed struct{ ref Ref }
	aborted   struct {
		ref    Ref
		reason error
	}
	fail struct{ err error }
	// asking answers asked: the checkpoint that was started on its account.
	asking struct{ id checkpoint.ID }
	// finished ends finishing.
	finished struct{ err error }
	// moved and ended tell of a checkpoint's life.
	moved struct {
		id checkpoint.ID
		to State
	}
	ended struct {
		Report
		cause   cause
		counted bool // as a failure
	}
	// doubt tells that the outcome of a commit is not known, and why.
	doubt struct {
		id  checkpoint.ID
		err error
	}
	// collect deletes what the dropped checkpoints reach and the kept ones do
	// not, by their stored manifests.
	collect struct{ dropped, kept []Ref }
	// discard deletes objects that no checkpoint can ever reach.
	discard struct{ names []string }
)

func (readHead) isAction()      {}
func (probe) isAction()         {}
func (swapHead) isAction()      {}
func (writeManifest) isAction() {}
func (restore) isAction()       {}
func (attachDone) isAction()    {}
func (lead) isAction()          {}
func (stop) isAction()          {}
func (trigger) isAction()       {}
func (committed) isAction()     {}
func (aborted) isAction()       {}
func (fail) isAction()          {}
func (asking) isAction()        {}
func (finished) isAction()      {}
func (moved) isAction()         {}
func (ended) isAction()         {}
func (doubt) isAction()         {}
func (collect) isAction()       {}
func (discard) isAction()       {}

// cause sorts the reasons for which a checkpoint is aborted.
type cause string

const (
	byDecline   cause = "declined"
	byTimeout   cause = "timeout"
	byManifest  cause = "manifest"  // it could not be written
	byCommit    cause = "commit"    // head could not be written
	byAck       cause = "bad-ack"   // an acknowledgement that cannot be accepted
	byOvertaken cause = "overtaken" // a newer one was committed first
	byDetach    cause = "detached"
	byFence     cause = "fenced"
	byDrain     cause = "draining" // triggered when all input had ended
)

// counts reports whether it is a failure of checkpointing itself.
func (c cause) counts() bool {
	switch c {
	case byDecline, byTimeout, byManifest, byCommit, byAck:
		return true
	}
	return false
}

// settings are what a machine goes by. They never change.
type settings struct {
	job, writer, nonce string
	interval, minPause time.Duration
	timeout            time.Duration
	maxConcurrent      int
	tolerable          int // negative: any number
	policy             policy
	restore            Restore
	rules              rules
}
