package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// Errors of a coordinator.
var (
	// ErrClosed: the coordinator was closed.
	ErrClosed = errors.New("coordinator is closed")
	// ErrNotRetained: there is no such checkpoint any more, or never was.
	ErrNotRetained = errors.New("it is not retained")
)

// Coordinator leads a job's checkpoints. All methods may be called from any
// goroutine, but none from a method of Tasks or a function of Listener.
type Coordinator struct {
	o       Options
	cleaner *cleaner
	teller  *teller
	mail    mailbox
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	io      sync.WaitGroup
	done    chan struct{} // closed when the loop has returned
	closing sync.Once
	closed  error

	// Of the event loop alone.
	m        *machine
	tasks    checkpoint.Tasks
	attached chan attachDone
	finishes []chan error
	asks     []ask                   // for the next checkpoint
	taken    map[checkpoint.ID][]ask // for one under way
	opened   chan error              // nil once it was answered
	quiet    []chan struct{}
	sound    bool // an attempt ran: what was restored was readable

	epoch checkpoint.Epoch // fixed once Open has returned

	mu struct {
		sync.Mutex
		status Status
	}
}

// ask is somebody who waits for a checkpoint.
type ask chan answer

type answer struct {
	id  checkpoint.ID
	err error
}

var _ checkpoint.Coordinator = (*Coordinator)(nil)

// Open leads the job: it reads or creates head and raises its epoch, after
// which no older leader commits anything. The coordinator must be closed.
//
// It fails with ErrHeadFormat where head cannot be understood, and with
// ErrHeadMissing where there is none although the job has objects. In neither
// case is anything written or deleted.
func Open(ctx context.Context, o Options) (*Coordinator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c := &Coordinator{
		o: o, teller: &teller{to: o.Listener}, done: make(chan struct{}), opened: make(chan error, 1), taken: map[checkpoint.ID][]ask{},
		m: &machine{settings: &settings{
			job: o.Job, writer: o.Writer, nonce: rand.Text(),
			interval: o.Interval, minPause: o.MinPause, timeout: o.Timeout, maxConcurrent: o.MaxConcurrent,
			tolerable: o.TolerableFailures, policy: policy{newest: o.Retain}, restore: o.Restore,
		}},
	}
	c.mail.ready = make(chan struct{}, 1)
	c.cleaner = newCleaner(o, c.teller)
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	reply := c.opened
	go c.cleaner.run(c.ctx)
	go c.loop()
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

// Attach implements checkpoint.Coordinator. The first attempt starts from what
// Options.Restore says; later ones from the newest checkpoint that was
// committed since. Where the last attempt's commit is in doubt, Attach waits
// until that is resolved.
//
// It fails where the checkpoint is not retained, or its manifest is missing,
// corrupt or of a newer format: the error then wraps
// checkpoint.ErrUnrestorable, and nothing is deleted.
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
		return r.manifest.Restored(), nil
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
	c.mail.post(letter{event: finishing{}, finish: reply})
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("final checkpoint: %w", context.Cause(ctx))
	case <-c.done:
		return c.over()
	}
}

// Detach implements checkpoint.Coordinator. Once it returned, no method of the
// attempt's Tasks is called any more.
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
	reply := make(ask, 1)
	c.mail.post(letter{event: asked{}, ask: reply})
	select {
	case r := <-reply:
		return r.id, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("checkpoint on demand: %w", context.Cause(ctx))
	case <-c.done:
		return 0, c.over()
	}
}

// Status returns what the coordinator has done so far.
func (c *Coordinator) Status() Status {
	c.mu.Lock()
	s := c.mu.status
	c.mu.Unlock()
	s.Cleaner = c.cleaner.status()
	return s
}

// over is what is returned by whom the end of the coordinator finds waiting.
func (c *Coordinator) over() error {
	if err := c.Status().Fenced; err != nil {
		return err
	}
	return ErrClosed
}

// Close detaches, waits until a commit in doubt is resolved and what is to be
// deleted is, sweeps what this epoch left behind, and ends every goroutine.
// Once ctx ends it does only the last: a later start's sweep finds the rest.
// The error says what was left undone.
func (c *Coordinator) Close(ctx context.Context) error {
	c.closing.Do(func() { c.closed = c.close(ctx) })
	return c.closed
}

func (c *Coordinator) close(ctx context.Context) error {
	defer c.shut()
	c.Detach()
	quiet := make(chan struct{})
	c.mail.post(letter{event: ticked{}, quiet: quiet})
	select {
	case <-quiet:
	case <-c.done:
	case <-ctx.Done():
		return fmt.Errorf("close coordinator of job %q: a commit is in doubt; the next start resolves it: %w", c.o.Job, context.Cause(ctx))
	}
	c.cleaner.finish()
	select {
	case <-c.cleaner.done:
	case <-ctx.Done():
		return fmt.Errorf("close coordinator of job %q: %d objects are left to the next start's sweep: %w", c.o.Job, c.cleaner.status().Waiting, context.Cause(ctx))
	}
	if err := c.cleaner.status().Halted; err != nil {
		return fmt.Errorf("close coordinator of job %q: %w", c.o.Job, err)
	}
	return nil
}

// shut ends every goroutine and waits for it.
func (c *Coordinator) shut() {
	c.cancel()
	<-c.done
	<-c.cleaner.done
	c.io.Wait()
}

// letter is a message to the event loop, with what its answer goes to.
type letter struct {
	event    event
	tasks    checkpoint.Tasks
	attached chan attachDone
	finish   chan error
	ask      ask
	handled  chan struct{} // closed once the event was
	quiet    chan struct{} // closed once no commit is under way
}

// mailbox is a queue that never blocks who posts. It is bounded by those who
// post: subtasks acknowledge once, callers wait for an answer.
type mailbox struct {
	mu    sync.Mutex
	queue []letter
	ready chan struct{} // of capacity 1
}

func (b *mailbox) post(l letter) {
	b.mu.Lock()
	b.queue = append(b.queue, l)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *mailbox) take() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue = nil
	return q
}

// loop feeds the machine, one event at a time, until Close.
func (c *Coordinator) loop() {
	defer close(c.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at := c.m.wake(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
			c.handle(letter{event: ticked{}})
		case <-c.mail.ready:
			for _, l := range c.mail.take() {
				c.handle(l)
			}
		}
	}
}

// handle tells the machine of one event and does what it says.
func (c *Coordinator) handle(l letter) {
	switch {
	case l.attached != nil && c.attached != nil:
		l.attached <- attachDone{err: errors.New("another attempt is being attached")}
		return
	case l.attached != nil:
		c.attached = l.attached
	case l.finish != nil:
		c.finishes = append(c.finishes, l.finish)
	case l.ask != nil && c.m.phase != leads:
		l.ask <- answer{err: c.over()}
		return
	case l.ask != nil:
		c.asks = append(c.asks, l.ask)
	case l.quiet != nil:
		c.quiet = append(c.quiet, l.quiet)
	case l.tasks != nil && c.m.phase == stopped:
		l.tasks.Fail(c.m.why)
	case l.tasks != nil && c.m.starts(l.event.(started).execution):
		c.tasks = l.tasks
		if !c.sound {
			c.sound = true
			c.cleaner.add(sweep{c.m.head.refs(), deadBefore(c.m.head.Epoch, c.m.rules)})
		}
	}
	for _, a := range c.m.step(time.Now(), l.event) {
		c.carryOut(a)
	}
	if _, ok := l.event.(detached); ok {
		c.tasks = nil
		c.refuse(errDetached)
	}
	c.publish()
	if l.handled != nil {
		close(l.handled)
	}
	if c.m.commit.stage == noCommit && len(c.quiet) > 0 {
		if c.sound && c.m.phase == leads {
			c.cleaner.add(sweep{c.m.head.refs(), deadAtEnd(c.m.head.Epoch, nil)})
		}
		for _, q := range c.quiet {
			close(q)
		}
		c.quiet = nil
	}
}

// refuse answers everybody who waits for a checkpoint that will not come.
func (c *Coordinator) refuse(err error) {
	for _, w := range c.asks {
		w <- answer{err: fmt.Errorf("checkpoint on demand: %w", err)}
	}
	c.asks = nil
}

// carryOut does one thing that the machine wants done.
func (c *Coordinator) carryOut(a action) {
	log := c.o.Logger.With("job", c.o.Job, "epoch", uint64(c.m.head.Epoch))
	switch a := a.(type) {
	case readHead, probe, swapHead, writeManifest, restore:
		c.request(a)
	case attachDone:
		if a.manifest != nil && a.manifest.Kind == checkpoint.Final {
			c.sound = true // nothing will run that could prove it
		}
		if c.attached != nil {
			c.attached <- a
			c.attached = nil
		}
	case lead:
		log.Info("leading", "retained", c.m.head.ids())
		c.epoch = a.epoch
		c.opened <- nil
		c.opened = nil
	case stop:
		if c.opened != nil { // it never led
			c.opened <- a.err
			c.opened = nil
		} else {
			log.Error("leading no more", "error", a.err)
			c.teller.alarm(a.err)
		}
		c.cleaner.leave()
		c.mu.Lock()
		c.mu.status.Fenced = a.err
		c.mu.Unlock()
		c.refuse(a.err)
	case trigger:
		c.tasks.Trigger(a.Barrier)
	case committed:
		c.tasks.Committed(a.ref)
	case aborted:
		c.tasks.Aborted(a.ref, a.reason)
	case fail:
		log.Error("attempt fails", "error", a.err)
		c.tasks.Fail(a.err)
	case asking:
		c.taken[a.id], c.asks = c.asks, nil
	case finished:
		for _, f := range c.finishes {
			f <- a.err
		}
		c.finishes = nil
	case moved:
		c.teller.moved(a.id, a.to)
	case ended:
		c.ended(a)
	case doubt:
		log.Warn("outcome of commit is not known", "checkpoint_id", uint64(a.id), "error", a.err)
	case collect, discard:
		c.cleaner.add(a)
	}
}

// ended counts a checkpoint that ended and tells of it.
func (c *Coordinator) ended(a ended) {
	r := a.Report
	log := c.o.Logger.With("job", c.o.Job, "epoch", uint64(r.Epoch), "checkpoint_id", uint64(r.ID), "kind", r.Kind.String(), "duration", r.Duration)
	c.mu.Lock()
	s := &c.mu.status
	if r.State == Completed {
		s.Completed++
		s.Last = &r
		s.FullBytes += r.FullBytes
		s.NewBytes += r.NewBytes
		log.Info("checkpoint completed", "full_bytes", r.FullBytes, "new_bytes", r.NewBytes)
	} else {
		s.Aborted++
		if a.counted {
			s.Failed++
		}
		by := map[string]int{string(a.cause): 1} // copies of the old one are out
		for k, n := range s.AbortedBy {
			by[k] += n
		}
		s.AbortedBy, s.LastAborted = by, &r
		log.Warn("checkpoint aborted", "cause", string(a.cause), "error", r.Reason)
	}
	c.mu.Unlock()
	for _, w := range c.taken[r.ID] {
		w <- answer{r.ID, r.Reason}
	}
	delete(c.taken, r.ID)
	c.teller.ended(r)
}

// publish makes the machine's state visible to Status.
func (c *Coordinator) publish() {
	m := c.m
	pending := make([]Pending, len(m.pending))
	for i, p := range m.pending {
		pending[i] = Pending{p.ID, p.kind, p.state, p.triggered, len(p.acks) - p.missing, len(p.acks), m.commit.sent(p.ID)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.mu.status
	s.Epoch, s.Leads, s.ConsecutiveFailures = m.head.Epoch, m.phase == leads, m.failures
	s.Retained, s.Pending = m.head.Retained, pending // never changed in place
}

// request sends what the machine asks of the store; the answer comes back as
// an event.
func (c *Coordinator) request(a action) {
	c.io.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, c.o.RequestTimeout)
		defer cancel()
		var e event
		switch a := a.(type) {
		case readHead:
			e = c.readHead(ctx)
		case probe:
			e = c.probe(ctx)
		case swapHead:
			e = c.swapHead(ctx, a)
		case writeManifest:
			m := a.manifest
			e = manifestWritten{Ref{ID: m.Checkpoint, Epoch: m.Epoch}, incremental.WriteManifest(ctx, c.o.Store, m)}
		case restore:
			m, err := incremental.ReadManifest(ctx, c.o.Store, a.ref.ID, a.ref.Epoch)
			if err == nil {
				err = m.CheckJob(c.o.Job)
			}
			if err != nil {
				m, err = nil, fmt.Errorf("restore checkpoint %d from %s: %w", a.ref.ID, c.o.Store, err)
			}
			e = restored{a.ref, m, err}
		}
		c.mail.post(letter{event: e})
	})
}
