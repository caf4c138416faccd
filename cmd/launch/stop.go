package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// stopper takes the last checkpoint of a job: a coordinator.
type stopper interface {
	Stop(ctx context.Context, withCheckpoint bool, reason string) (checkpoint.ID, error)
}

// stopping is how a run ends that was told to end.
type stopping struct {
	stopper stopper       // nil: checkpoints are off
	grace   time.Duration // zero: no last checkpoint

	job  context.Context // ends when the job must end at once
	over context.CancelFunc
	done chan struct{} // closed when nothing runs any more
	err  error         // why there is no last checkpoint; valid once done is closed
}

// begin lets the job run in s.job. When ctx ends, a last checkpoint is taken first, which
// ends the job well. It must end within the grace period.
func (s *stopping) begin(ctx context.Context) {
	running, over := context.WithCancel(context.WithoutCancel(ctx))
	job, cancel := context.WithCancelCause(running)
	s.job, s.over, s.done = job, over, make(chan struct{})
	go func() {
		defer close(s.done)
		defer cancel(nil)
		select {
		case <-ctx.Done():
			s.err = s.stop(running, context.Cause(ctx))
			cancel(context.Cause(ctx))
		case <-running.Done():
		}
	}()
}

// stop returns when the job has ended behind a last checkpoint, or why there is none.
func (s *stopping) stop(ctx context.Context, why error) error {
	if !s.withCheckpoint() || errors.Is(why, checkpoint.ErrCancelled) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.grace, fmt.Errorf("not within %v", s.grace))
	defer cancel()
	_, err := s.stopper.Stop(ctx, true, why.Error())
	if err == nil {
		<-ctx.Done()
	}
	return err
}

func (s *stopping) withCheckpoint() bool { return s.grace > 0 && s.stopper != nil }

// end returns how the run ended, given what the job returned: well, if it was stopped on
// purpose.
func (s *stopping) end(err error) (stopped bool, _ error) {
	asked := context.Cause(s.job)
	s.over()
	<-s.done
	switch {
	case errors.Is(err, checkpoint.ErrStopped), errors.Is(err, checkpoint.ErrCancelled):
		return true, nil
	case asked == nil || !errors.Is(err, asked) || !s.withCheckpoint():
		return false, err
	case s.err != nil:
		return false, fmt.Errorf("%w, without a last checkpoint: %w", err, s.err)
	}
	return true, nil // there is one, and the job only took too long to end
}
