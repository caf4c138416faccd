package coordinator

import (
	"context"
	"errors"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Coordinator leads a job's checkpoints. All methods may be called from any
// goroutine.
type Coordinator struct{}

var _ checkpoint.Coordinator = (*Coordinator)(nil)

var errNotBuilt = errors.New("coordinator: not built yet")

// Open leads the job: it reads or creates head and raises its epoch, after
// which no older leader commits anything.
func Open(ctx context.Context, o Options) (*Coordinator, error) { return nil, errNotBuilt }

// Epoch is the epoch that the coordinator leads.
func (c *Coordinator) Epoch() checkpoint.Epoch { return 0 }

// Attach implements checkpoint.Coordinator.
func (c *Coordinator) Attach(ctx context.Context, graph checkpoint.Graph, attempt checkpoint.Attempt) (*checkpoint.Restored, error) {
	return nil, errNotBuilt
}

// Start implements checkpoint.Coordinator.
func (c *Coordinator) Start(tasks checkpoint.Tasks) {}

// Ack implements checkpoint.Coordinator.
func (c *Coordinator) Ack(a checkpoint.Ack) {}

// Decline implements checkpoint.Coordinator.
func (c *Coordinator) Decline(d checkpoint.Decline) {}

// Finish implements checkpoint.Coordinator.
func (c *Coordinator) Finish(ctx context.Context) error { return errNotBuilt }

// Detach implements checkpoint.Coordinator.
func (c *Coordinator) Detach() {}

// Trigger takes a checkpoint now, and returns its id once it is committed.
func (c *Coordinator) Trigger(ctx context.Context) (checkpoint.ID, error) { return 0, errNotBuilt }

// Status returns what the coordinator has done so far.
func (c *Coordinator) Status() Status { return Status{} }

// Close ends the coordinator.
func (c *Coordinator) Close(ctx context.Context) error { return errNotBuilt }
