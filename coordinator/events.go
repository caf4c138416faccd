package coordinator

import (
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// An event tells the machine what happened.
type event interface{ isEvent() }

type (
	// opened: Open was called. Take the lead.
	opened struct{}
	// headRead answers readHead: absent, a head with its ETag, or an error.
	headRead struct {
		absent bool
		head   Head
		etag   string
		err    error
	}
	// probed answers probe: the name of an object that exists, or none.
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
		ref     Ref
		written incremental.Written
		err     error
	}
	// manifestRead answers readManifest.
	manifestRead struct {
		ref      Ref
		manifest *incremental.Manifest
		err      error
	}
	// attached: an attempt asks what it starts from.
	attached struct {
		graph   checkpoint.Graph
		attempt checkpoint.Attempt
	}
	// started: the subtasks of the execution run.
	started struct {
		execution checkpoint.Execution
		subtasks  []checkpoint.SubtaskID
	}
	// acked and declined come from subtasks.
	acked    struct{ checkpoint.Ack }
	declined struct{ checkpoint.Decline }
	// asked: somebody wants a checkpoint now.
	asked struct{}
	// draining: all input was read; the final checkpoint is next.
	draining struct{}
	// finishing: all input was processed; take the final checkpoint.
	finishing struct{}
	// stopping: end the job on purpose, with a last checkpoint or without.
	stopping struct {
		checkpoint bool
		reason     string
	}
	// progressed: the sources have read more records.
	progressed struct{ records int64 }
	// detached: the attempt is over.
	detached struct{}
	// closing: begin nothing more, and end.
	closing struct{}
	// collected: what the checkpoints alone reached is deleted.
	collected struct{ refs []Ref }
	// deletion: the cleaner's last request succeeded (nil), or why deletion
	// pauses; with halted, it ended for good.
	deletion struct {
		err    error
		halted bool
	}
	// ticked: time passed.
	ticked struct{}
)

func (opened) isEvent()          {}
func (headRead) isEvent()        {}
func (probed) isEvent()          {}
func (swapped) isEvent()         {}
func (manifestWritten) isEvent() {}
func (manifestRead) isEvent()    {}
func (attached) isEvent()        {}
func (started) isEvent()         {}
func (acked) isEvent()           {}
func (declined) isEvent()        {}
func (asked) isEvent()           {}
func (draining) isEvent()        {}
func (finishing) isEvent()       {}
func (stopping) isEvent()        {}
func (progressed) isEvent()      {}
func (detached) isEvent()        {}
func (closing) isEvent()         {}
func (collected) isEvent()       {}
func (deletion) isEvent()        {}
func (ticked) isEvent()          {}

// outcome is what the writer of a conditional request knows of its fate.
type outcome uint8

const (
	unknown outcome = iota // it may be applied, now or later
	won                    // applied
	refused                // not applied; an earlier try of the same may have been
	denied                 // this request was not applied and never will be
)
