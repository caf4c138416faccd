package launch

import (
	"context"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Start is what an attempt starts from.
type Start struct {
	Attempt    uint64 // 1 is the first of this run
	Checkpoint uint64 // zero: from nothing
	Final      bool   // the checkpoint was taken at the end of the input: nothing is left to do
	// Stopped is what head said of a stop of the job, before this run took it out; nil:
	// nothing, or this is not the first attempt.
	Stopped *coordinator.Stopped
}

// announcing is a coordinator that calls starting for each attempt.
type announcing struct {
	*coordinator.Coordinator
	starting func(Start) // may be nil
	stopped  *coordinator.Stopped
}

// Attach implements checkpoint.Coordinator.
func (c announcing) Attach(ctx context.Context, graph checkpoint.Graph, attempt checkpoint.Attempt) (*checkpoint.Restored, error) {
	r, err := c.Coordinator.Attach(ctx, graph, attempt)
	if err != nil || c.starting == nil {
		return r, err
	}
	s := Start{Attempt: uint64(attempt)}
	if r != nil {
		s.Checkpoint, s.Final = uint64(r.Checkpoint), r.Final
	}
	if attempt == 1 {
		s.Stopped = c.stopped
	}
	c.starting(s)
	return r, nil
}
