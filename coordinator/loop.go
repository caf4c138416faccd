package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// letter is an event for the loop, with the channels for its answer.
type letter struct {
	event    event
	tasks    checkpoint.Tasks
	attached chan attachDone
	finish   *waiter[error]
	ask      *waiter[answer]
	stop     *waiter[answer]
	handled  chan struct{} // closed once the event was handled
	closed   chan struct{} // closed once the machine has closed
}

// mailbox is a queue whose post never blocks. It stays short: a subtask acknowledges
// a checkpoint once, and other callers wait for an answer.
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

// loop is the state of the goroutine that feeds the machine: the machine, and the
// channels on which callers wait for its answers.
type loop struct {
	m        *machine
	tasks    checkpoint.Tasks
	starting checkpoint.Tasks // of the event in hand
	opened   chan error       // nil once it was answered
	attached chan attachDone
	finishes []waiter[error]
	asks     []waiter[answer]                   // for the next checkpoint
	taken    map[checkpoint.ID][]waiter[answer] // for one under way
	stops    []waiter[answer]
	closed   []chan struct{}

	endHistory context.CancelFunc // nil: it never led
}

// run feeds the machine, one event at a time, until Close.
func (c *Coordinator) run() {
	defer close(c.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at := c.loop.m.wake(); at.IsZero() {
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

// handle gives the machine one event and carries out its actions.
func (c *Coordinator) handle(l letter) {
	w := &c.loop
	switch {
	case l.attached != nil && w.attached != nil:
		l.attached <- attachDone{err: errors.New("another attempt is being attached")}
		return
	case l.attached != nil:
		w.attached = l.attached
	case l.finish != nil:
		w.finishes = join(w.finishes, *l.finish)
	case l.ask != nil:
		w.asks = join(w.asks, *l.ask)
	case l.stop != nil:
		w.stops = join(w.stops, *l.stop)
	case l.closed != nil:
		w.closed = append(w.closed, l.closed)
	}
	w.starting = l.tasks
	for _, a := range w.m.step(time.Now(), l.event) {
		c.carryOut(a)
	}
	c.publish()
	if l.handled != nil {
		close(l.handled)
	}
}

// carryOut carries out one action of the machine.
func (c *Coordinator) carryOut(a action) {
	w := &c.loop
	log := c.o.Logger.With("job", c.o.Job, "epoch", uint64(w.m.head.Epoch))
	switch a := a.(type) {
	case readHead, probe, swapHead, writeManifest, readManifest:
		c.request(a)
	case lead:
		log.Info("leading", "retained", w.m.head.ids(), "retention", w.m.head.Policy)
		if c.o.Retention != (RetentionPolicy{}) && w.m.policy != *w.m.head.Policy {
			log.Warn("the retention of the job's head counts, and not the one given", "head", w.m.head.Policy, "given", w.m.policy)
		}
		if a.cleared != nil {
			log.Info("the job was stopped, and goes on", "checkpoint_id", uint64(a.cleared.Checkpoint), "reason", a.cleared.Reason)
		}
		c.mu.Lock()
		c.mu.status.Resumed = a.cleared
		c.mu.Unlock()
		c.epoch = a.epoch
		ctx, cancel := context.WithCancel(c.ctx)
		w.endHistory = cancel
		c.history = history.Open(ctx, history.Options{Store: c.o.Store, Job: c.o.Job, Epoch: a.epoch, Limit: c.o.RequestTimeout, Logger: c.o.Logger})
		w.opened <- nil
		w.opened = nil
	case stop:
		if w.opened != nil { // it never led
			w.opened <- a.err
			w.opened = nil
		}
		c.cleaner.end()
		if w.endHistory != nil {
			w.endHistory() // what it writes now the next leader would not read
		}
		c.mu.Lock()
		c.mu.status.Fenced = a.err
		c.mu.Unlock()
	case closed:
		for _, done := range w.closed {
			close(done)
		}
		w.closed = nil
	case attachDone:
		if w.attached != nil {
			w.attached <- a
			w.attached = nil
		}
	case startDone:
		if a.err != nil {
			w.starting.Fail(a.err)
			break
		}
		w.tasks = w.starting
		c.mu.Lock()
		c.mu.status.Restored = nil
		if from := w.m.attempt.from; from != (Ref{}) {
			c.mu.status.Restored = &Restored{from, w.m.attempt.started}
		}
		c.mu.Unlock()
	case trigger:
		w.tasks.Trigger(a.Barrier)
	case committed:
		w.tasks.Committed(a.ref)
	case aborted:
		w.tasks.Aborted(a.ref, a.reason)
	case fail:
		if errors.Is(a.err, checkpoint.ErrStopped) || errors.Is(a.err, checkpoint.ErrCancelled) {
			log.Info("attempt ends", "cause", a.err)
		} else {
			log.Error("attempt fails", "error", a.err)
		}
		w.tasks.Fail(a.err)
	case asking:
		w.taken[a.id], w.asks = w.asks, nil
	case unasked:
		for _, ask := range w.asks {
			ask.reply <- answer{err: fmt.Errorf("checkpoint on demand: %w", a.err)}
		}
		w.asks = nil
	case finished:
		for _, f := range w.finishes {
			f.reply <- a.err
		}
		w.finishes = nil
	case stopDone:
		for _, s := range w.stops {
			s.reply <- answer(a)
		}
		w.stops = nil
	case moved:
		if c.o.Listener.Moved != nil {
			c.o.Listener.Moved(a.id, a.to)
		}
	case ended:
		c.ended(a)
	case overdue:
		log.Warn("outcome of commit is still not known", "checkpoint_id", uint64(a.id), "error", a.err)
		c.mu.Lock()
		c.mu.status.Failed++
		c.mu.Unlock()
	case doubt:
		log.Warn("outcome of commit is not known", "checkpoint_id", uint64(a.id), "error", a.err)
	case alarmed:
		c.alarmed(a.Alarm)
	case collect, discard, sweep:
		c.cleaner.add(a)
	}
}

// ended counts, logs and reports a checkpoint that has ended.
func (c *Coordinator) ended(a ended) {
	r := a.Report
	log := c.o.Logger.With("job", c.o.Job, "epoch", uint64(r.Epoch), "checkpoint_id", uint64(r.ID), "kind", r.Kind.String(), "duration", r.Duration)
	c.mu.Lock()
	s := &c.mu.status
	if r.Err == nil {
		s.Completed++
		s.Last = &r
		s.FullBytes += r.FullBytes
		s.NewBytes += r.NewBytes
		log.Info("checkpoint completed", "full_bytes", r.FullBytes, "new_bytes", r.NewBytes)
	} else {
		s.Aborted++
		if r.Counted {
			s.Failed++
		}
		by := map[string]int{r.Cause: 1} // copies of the old one are out
		for k, n := range s.AbortedBy {
			by[k] += n
		}
		s.AbortedBy, s.LastAborted = by, &r
		log.Warn("checkpoint aborted", "cause", r.Cause, "error", r.Err)
	}
	c.mu.Unlock()
	c.history.Add(r.Checkpoint)
	for _, ask := range c.loop.taken[r.ID] {
		ask.reply <- answer{r.ID, r.Err}
	}
	delete(c.loop.taken, r.ID)
	if c.o.Listener.Ended != nil {
		c.o.Listener.Ended(r)
	}
}

// alarmed logs and reports an alarm.
func (c *Coordinator) alarmed(a Alarm) {
	log := c.o.Logger.With("job", c.o.Job, "code", string(a.Code), "since", a.Since)
	if a.Cleared {
		log.Info("alarm is over", "text", a.Text)
	} else {
		log.Error("alarm", "text", a.Text)
	}
	if c.o.Listener.Alarm != nil {
		c.o.Listener.Alarm(a)
	}
}

// publish makes the machine's state visible to Status.
func (c *Coordinator) publish() {
	m := c.loop.m
	pending := make([]Pending, len(m.pending))
	for i, p := range m.pending {
		pending[i] = Pending{ID: p.ID, Kind: p.kind, Trigger: p.trigger, State: p.state, Triggered: p.triggered, Acked: len(p.acks) - p.missing, Subtasks: len(p.acks), Parts: p.parts}
		if m.commit.sent(p.ID) {
			pending[i].InDoubtSince = m.commit.since
		}
	}
	var alarms []Alarm
	for _, a := range m.alarms {
		if a.told {
			alarms = append(alarms, a.Alarm)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.mu.status
	s.Epoch, s.Leads, s.ConsecutiveFailures = m.head.Epoch, m.phase == leads, m.failures
	s.Stopped = m.head.Stopped
	s.Retained, s.Pending, s.Alarms = m.head.Retained, pending, alarms // never changed in place
}

// request carries out a request to the store in a goroutine of its own; the answer
// comes back as an event.
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
			ref := Ref{ID: m.Checkpoint, Epoch: m.Epoch}
			w, err := incremental.WriteManifest(ctx, c.o.Store, m)
			if err == nil {
				c.cleaner.wrote(ref, w, m)
			}
			if upload.Refused(err) {
				err = checkpoint.Refused(err)
			}
			e = manifestWritten{ref, w, err}
		case readManifest:
			m, err := incremental.ReadManifest(ctx, c.o.Store, a.ref.ID, a.ref.Epoch)
			if err == nil {
				err = errors.Join(m.CheckJob(c.o.Job), m.CheckRestorable(c.o.Backend))
			}
			if err != nil {
				m, err = nil, fmt.Errorf("from %s: %w", c.o.Store, err)
			}
			e = manifestRead{a.ref, m, err}
		}
		c.mail.post(letter{event: e})
	})
}
