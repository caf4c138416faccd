package coordinator

import (
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// An action is something that the machine wants done. An action that names an answer
// is followed by exactly one such event.
type action interface{ isAction() }

type (
	// readHead reads head; answered by headRead.
	readHead struct{}
	// probe looks for a manifest or data object, which there cannot be without a
	// head; answered by probed, or by headRead if a head has appeared.
	probe struct{}
	// swapHead writes head where it still has the ETag, or, with none, where
	// there is no head; answered by swapped.
	swapHead struct {
		head Head
		etag string
	}
	// writeManifest puts a manifest; answered by manifestWritten.
	writeManifest struct{ manifest *incremental.Manifest }
	// readManifest reads a manifest of the job; answered by manifestRead.
	readManifest struct{ ref Ref }

	// lead says that this process leads. cleared is what head said of a stop before; nil:
	// nothing.
	lead struct {
		epoch   checkpoint.Epoch
		cleared *Stopped
	}
	// stop says why this coordinator does not lead, or not any longer.
	stop struct{ err error }
	// closed answers closing: nothing follows except the cleaner's last work.
	closed struct{}

	// attachDone answers attached: what the attempt starts from (nil: empty),
	// or why it cannot.
	attachDone struct {
		manifest *incremental.Manifest
		err      error
	}
	// startDone answers started: the attempt's tasks are in charge, or why not.
	startDone struct{ err error }
	// trigger, committed, aborted and fail are calls of the attempt's tasks.
	trigger   struct{ checkpoint.Barrier }
	committed struct{ ref Ref }
	aborted   struct {
		ref    Ref
		reason error
	}
	fail struct{ err error }
	// asking answers asked with the checkpoint that was started for it.
	asking struct{ id checkpoint.ID }
	// unasked answers asked: no checkpoint is started for it.
	unasked struct{ err error }
	// finished answers finishing.
	finished struct{ err error }
	// stopDone answers stopping: the last checkpoint (zero: there is none), or why the
	// job goes on.
	stopDone struct {
		id  checkpoint.ID
		err error
	}

	// moved and ended report a checkpoint's life.
	moved struct {
		id checkpoint.ID
		to State
	}
	ended struct{ Report }
	// doubt reports that the outcome of a commit is not known, and why.
	doubt struct {
		id  checkpoint.ID
		err error
	}
	// overdue reports that the outcome is still not known, which counts as a failure.
	overdue struct {
		id  checkpoint.ID
		err error
	}
	// alarmed reports an alarm that is raised, repeated or cleared.
	alarmed struct{ Alarm }

	// collect deletes what the dropped checkpoints reach and the kept ones do
	// not, by their stored manifests.
	collect struct{ dropped, kept []Ref }
	// discard deletes objects that no checkpoint can ever reach.
	discard struct{ names []string }
	// sweep deletes orphans: objects of dead checkpoints that no kept one
	// reaches.
	sweep struct {
		kept []Ref
		dead scope
	}
)

func (readHead) isAction()      {}
func (probe) isAction()         {}
func (swapHead) isAction()      {}
func (writeManifest) isAction() {}
func (readManifest) isAction()  {}
func (lead) isAction()          {}
func (stop) isAction()          {}
func (closed) isAction()        {}
func (attachDone) isAction()    {}
func (startDone) isAction()     {}
func (trigger) isAction()       {}
func (committed) isAction()     {}
func (aborted) isAction()       {}
func (fail) isAction()          {}
func (asking) isAction()        {}
func (unasked) isAction()       {}
func (finished) isAction()      {}
func (stopDone) isAction()      {}
func (moved) isAction()         {}
func (ended) isAction()         {}
func (doubt) isAction()         {}
func (overdue) isAction()       {}
func (alarmed) isAction()       {}
func (collect) isAction()       {}
func (discard) isAction()       {}
func (sweep) isAction()         {}
