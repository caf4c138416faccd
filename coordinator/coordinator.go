package coordinator

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// Coordinator leads a job's checkpoints. All methods may be called from any
// goroutine, but none from a method of Tasks or a function of Listener.
type Coordinator struct {
	o       Options
	cleaner *cleaner
	mail    mailbox
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	io      sync.WaitGroup
	done    chan struct{} // closed when the loop has returned
	closing sync.Once
	closed  error

	loop loop
	// Fixed once Open has returned:
	epoch   checkpoint.Epoch
	history *history.Log // nil: it never led

	mu struct {
		sync.Mutex
		status Status
	}
}

// waiter is a caller that waits for an answer, and may give up.
type waiter[T any] struct {
	reply chan T          // of capacity 1
	left  <-chan struct{} // closed once the caller gave up
}

func (w waiter[T]) gone() bool {
	select {
	case <-w.left:
		return true
	default:
		return false
	}
}

// join adds a waiter, and forgets those that gave up.
func join[T any](all []waiter[T], w waiter[T]) []waiter[T] {
	return append(slices.DeleteFunc(all, waiter[T].gone), w)
}

type answer struct {
	id  checkpoint.ID
	err error
}

var _ checkpoint.Coordinator = (*Coordinator)(nil)

// Open takes the lead of the job: it reads or creates head and raises its epoch.
// From then on no older leader commits anything. The coordinator must be closed.
//
// Before it raises the epoch, Open checks that this is the right job. It fails if
// the checkpoint to start from is not retained, cannot be read, belongs to another
// job or does not fit Options.Graph (checkpoint.ErrGraphMismatch). It fails with
// ErrHeadFormat if head cannot be decoded, with ErrCannotLead if head asks for what
// this program does not do, and with ErrHeadMissing if the job has objects and no
// head. In all these cases it has written and deleted nothing.
func Open(ctx context.Context, o Options) (*Coordinator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	reply := make(chan error, 1)
	c := &Coordinator{
		o: o, done: make(chan struct{}), mail: mailbox{ready: make(chan struct{}, 1)},
		loop: loop{opened: reply, taken: map[checkpoint.ID][]waiter[answer]{}, m: &machine{settings: &settings{
			job: o.Job, writer: o.Writer, leader: o.Leader, nonce: rand.Text(), graph: o.Graph,
			pace: pace{o.Interval, o.MinPause, o.Records, o.MaxConcurrent}, timeout: o.Timeout,
			tolerable: o.TolerableFailures, policy: o.Retention.withDefaults(), restore: o.Restore, drop: o.Drop, resume: o.Resume,
		}}},
	}
	c.cleaner = newCleaner(o, func(e event) { c.mail.post(letter{event: e}) })
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go c.cleaner.run(c.ctx)
	go c.run()
	c.mail.post(letter{event: opened{}})
	var err error
	select {
	case err = <-reply:
	case <-ctx.Done():
		err = fmt.Errorf("lead job %q: %w", o.Job, context.Cause(ctx))
	}
	if err != nil {
		c.shut()
		return nil, err
	}
	return c, nil
}

// Epoch implements checkpoint.Coordinator: the epoch that it leads.
func (c *Coordinator) Epoch() checkpoint.Epoch { return c.epoch }

// Attach implements checkpoint.Coordinator. The first attempt starts from the
// checkpoint that Options.Restore chooses. Later ones start from the newest
// checkpoint, once this epoch has committed one. While the last attempt's commit is
// in doubt, Attach waits.
//
// If the checkpoint is not retained, or its manifest is missing, corrupt or of a
// newer format, the error wraps checkpoint.ErrUnrestorable, and nothing is deleted.
func (c *Coordinator) Attach(ctx context.Context, graph checkpoint.Graph, attempt checkpoint.Attempt) (*checkpoint.Restored, error) {
	return incremental.Restore(func() (*checkpoint.Restored, error) { return c.attach(ctx, graph, attempt) })
}

func (c *Coordinator) attach(ctx context.Context, graph checkpoint.Graph, attempt checkpoint.Attempt) (*checkpoint.Restored, error) {
	reply := make(chan attachDone, 1)
	c.mail.post(letter{event: attached{graph, attempt}, attached: reply})
	select {
	case r := <-reply:
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("job %q: %w", c.o.Job, r.err)
		case r.manifest == nil:
			return nil, nil
		}
		restored := r.manifest.Restored()
		restored.Drop = c.o.Drop
		return restored, nil
	case <-ctx.Done():
		c.Detach()
		return nil, fmt.Errorf("attach to job %q: %w", c.o.Job, context.Cause(ctx))
	case <-c.done:
		return nil, c.over()
	}
}

// Start implements checkpoint.Coordinator.
func (c *Coordinator) Start(x checkpoint.Execution, tasks checkpoint.Tasks) {
	c.mail.post(letter{event: started{x, tasks.Subtasks()}, tasks: tasks})
}

// Ack implements checkpoint.Coordinator. It does not wait.
func (c *Coordinator) Ack(a checkpoint.Ack) { c.mail.post(letter{event: acked{a}}) }

// Decline implements checkpoint.Coordinator. It does not wait.
func (c *Coordinator) Decline(d checkpoint.Decline) { c.mail.post(letter{event: declined{d}}) }

// Drain implements checkpoint.Coordinator. It does not wait.
func (c *Coordinator) Drain() { c.mail.post(letter{event: draining{}}) }

// Finish implements checkpoint.Coordinator. The final checkpoint is tried
// again as long as failures are tolerated.
func (c *Coordinator) Finish(ctx context.Context) error {
	reply := make(chan error, 1)
	c.mail.post(letter{event: finishing{}, finish: &waiter[error]{reply, ctx.Done()}})
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("final checkpoint: %w", context.Cause(ctx))
	case <-c.done:
		return c.over()
	}
}

// Detach implements checkpoint.Coordinator. After it has returned, no method of the
// attempt's Tasks is called.
func (c *Coordinator) Detach() {
	reply := make(chan struct{})
	c.mail.post(letter{event: detached{}, handled: reply})
	select {
	case <-reply:
	case <-c.done:
	}
}

// Trigger takes a checkpoint as soon as one may start, whatever the interval,
// and returns its id once it is committed.
func (c *Coordinator) Trigger(ctx context.Context) (checkpoint.ID, error) {
	reply := make(chan answer, 1)
	c.mail.post(letter{event: asked{}, ask: &waiter[answer]{reply, ctx.Done()}})
	select {
	case r := <-reply:
		return r.id, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("checkpoint on demand: %w", context.Cause(ctx))
	case <-c.done:
		return 0, c.over()
	}
}

// Progress says that the sources have read that many more records, for Options.Records.
// It does not wait.
func (c *Coordinator) Progress(records int64) { c.mail.post(letter{event: progressed{records}}) }

// Stop ends the job on purpose. With a checkpoint, it takes a last one, behind which the
// sources read nothing, and ends the attempt with checkpoint.ErrStopped once that is
// committed; head then says that the job is stopped, and why. If too many tries fail, the
// job goes on and Stop returns the reason. Without a checkpoint, or if no attempt runs, it
// ends at once, with checkpoint.ErrCancelled or ErrStopped, and head stays as it is. Stop
// returns the newest checkpoint, zero for none. When ctx ends, only the wait does: the job
// stops all the same.
func (c *Coordinator) Stop(ctx context.Context, withCheckpoint bool, reason string) (checkpoint.ID, error) {
	reply := make(chan answer, 1)
	c.mail.post(letter{event: stopping{withCheckpoint, reason}, stop: &waiter[answer]{reply, ctx.Done()}})
	select {
	case r := <-reply:
		return r.id, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("last checkpoint: %w", context.Cause(ctx))
	case <-c.done:
		return 0, c.over()
	}
}

// Status says what the coordinator has done so far.
func (c *Coordinator) Status() Status {
	c.mu.Lock()
	s := c.mu.status
	c.mu.Unlock()
	s.Cleaner = c.cleaner.status()
	return s
}

// History lists the checkpoints that ended, and, as soon as it was read, what earlier
// leaders left of them.
func (c *Coordinator) History() history.History { return c.history.History() }

// over is the error for callers that still wait when the coordinator ends.
func (c *Coordinator) over() error {
	if err := c.Status().Fenced; err != nil {
		return err
	}
	return ErrClosed
}

// Close ends the leadership. It fails an attempt that still runs with ErrClosed,
// refuses whatever begins from then on, waits for a commit in doubt, sweeps what this epoch left behind, waits for the
// cleaner, and ends every goroutine. When ctx ends, it stops waiting. Objects
// that are left are no error: Status counts them, and the next start's sweep
// deletes them. A commit that is still in doubt is an error; the next start
// resolves it.
func (c *Coordinator) Close(ctx context.Context) error {
	c.closing.Do(func() { c.closed = c.close(ctx) })
	return c.closed
}

func (c *Coordinator) close(ctx context.Context) error {
	defer c.shut()
	resolved := make(chan struct{})
	c.mail.post(letter{event: closing{}, closed: resolved})
	select {
	case <-resolved:
	case <-ctx.Done():
		return fmt.Errorf("close coordinator of job %q: a commit is in doubt; the next start resolves it: %w", c.o.Job, context.Cause(ctx))
	}
	c.cleaner.finish()
	c.history.Close(ctx)
	select {
	case <-c.cleaner.done:
	case <-ctx.Done():
	}
	if s := c.cleaner.status(); s.Waiting+s.LeftToSweep > 0 || s.Sweeping || s.Paused != nil || s.Halted != nil {
		c.o.Logger.Warn("the next start's sweep will delete what is left", "job", c.o.Job, "objects", s.Waiting+s.LeftToSweep, "swept", !s.Sweeping)
	}
	return nil
}

// shut ends every goroutine and waits for it.
func (c *Coordinator) shut() {
	c.cancel()
	<-c.done
	<-c.cleaner.done
	c.io.Wait()
	if c.history != nil {
		c.history.Close(context.Background())
	}
}
