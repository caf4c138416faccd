package deploy

import (
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Input is an event for a Driver.
type Input interface{ isInput() }

type (
	// Run begins the first attempt.
	Run struct{}
	// Quit ends the job without a final checkpoint.
	Quit struct{}
	// Tick says that time has passed.
	Tick struct{}
	// Joined says that a worker has registered. It replaces one of the same id.
	Joined struct{ Worker Worker }
	// Lost says that a process of a worker is gone. Another may have replaced it.
	Lost struct {
		Worker      WorkerID
		Incarnation uint64
	}
	// Attached answers Attach.
	Attached struct {
		Epoch   checkpoint.Epoch
		Failure *Failure // nil: attached
	}
	// Prepared answers Prepare. Restored is the checkpoint that the attempt starts
	// from; zero: none. Done: it is final and published, so that nothing is left
	// to run.
	Prepared struct {
		Restored checkpoint.ID
		Done     bool
		Failure  *Failure
	}
	// Finished answers Finish.
	Finished struct{ Failure *Failure }
	// GivenUp says that the coordinator wants the attempt to fail.
	GivenUp struct {
		Execution checkpoint.Execution
		Failure   *Failure
	}
)

func (Run) isInput()      {}
func (Quit) isInput()     {}
func (Tick) isInput()     {}
func (Joined) isInput()   {}
func (Lost) isInput()     {}
func (Report) isInput()   {}
func (Attached) isInput() {}
func (Prepared) isInput() {}
func (Finished) isInput() {}
func (GivenUp) isInput()  {}

// Action is something that a Driver wants done. Attach, Prepare and Finish take time;
// each is followed by the one input that answers it.
type Action interface{ isAction() }

type (
	// Attach attaches an attempt to the coordinator.
	Attach struct{ Attempt checkpoint.Attempt }
	// Prepare checks that the job fits what it starts from, lists the splits of
	// sources that start from nothing, and recovers the sinks.
	Prepare struct{ Execution checkpoint.Execution }
	// Deploy sends each worker of the placement its Deployment.
	Deploy struct {
		Execution checkpoint.Execution
		Placement Placement
	}
	// Post sends a command to workers.
	Post struct {
		To        []WorkerID
		Execution checkpoint.Execution
		Command   Command
	}
	// Start lets the coordinator take checkpoints.
	Start struct {
		Execution checkpoint.Execution
		Workers   []WorkerID // that have a part in the execution
	}
	// Close stops the coordinator from starting checkpoints: all input has been read.
	Close struct{}
	// Finish takes the final checkpoint.
	Finish struct{}
	// Detach ends the attempt for the coordinator.
	Detach struct{}
	// Interrupt cancels the call under way.
	Interrupt struct{}
	// Retry says that the attempt failed and the next follows after a delay.
	Retry struct {
		Attempt checkpoint.Attempt
		Failure *Failure
		Delay   time.Duration
	}
	// Done ends the driver. Nil: the job has finished.
	Done struct{ Failure *Failure }
)

func (Attach) isAction()    {}
func (Prepare) isAction()   {}
func (Deploy) isAction()    {}
func (Post) isAction()      {}
func (Start) isAction()     {}
func (Close) isAction()     {}
func (Finish) isAction()    {}
func (Detach) isAction()    {}
func (Interrupt) isAction() {}
func (Retry) isAction()     {}
func (Done) isAction()      {}
