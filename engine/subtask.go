package engine

import (
	"context"
	"errors"
	"log/slog"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// eventKind is what a step of a subtask's head came to.
type eventKind uint8

const (
	eventWorked  eventKind = iota // records were processed, there may be more
	eventLull                     // the same, but it may take a while for more to come
	eventIdle                     // nothing to do until woken
	eventBarrier                  // a barrier has arrived on all inputs
	eventSkipped                  // a checkpoint's barrier will not arrive on all inputs
	eventEnd                      // all inputs have ended
)

type event struct {
	kind    eventKind
	wait    time.Duration // eventIdle: wake up after it; zero: when woken only
	aligned aligned
	skipped checkpoint.Barrier
}

// head is where a subtask's records come in: a source or an input gate.
type head interface {
	// step does a batch's worth of work, or says why there is none.
	step() (event, error)
	// abort says that a checkpoint will never be committed.
	abort(id checkpoint.ID)
	// queued is how many records wait to be processed. Any goroutine may call it.
	queued() int
}

// gateHead feeds what comes through a gate to the first operator of a chain.
type gateHead[K comparable, T any] struct {
	gate    *gate[K, T]
	process func(*batch[K, T]) error
}

func (h *gateHead[K, T]) step() (event, error) {
	ev, b := h.gate.poll()
	if b == nil {
		return ev, nil
	}
	if !h.gate.tempo.due() {
		return ev, h.process(b)
	}
	bytes, start := sampleBytes(b.records), time.Now()
	err := h.process(b)
	h.gate.processed(len(b.records), bytes, time.Since(start))
	return ev, err
}

func (h *gateHead[K, T]) abort(id checkpoint.ID) { h.gate.abort(id) }

func (h *gateHead[K, T]) queued() int { return h.gate.queued() }

// flusher is a buffer without its type.
type flusher interface{ flush() error }

// owner gets a subtask's reports. No method blocks.
type owner interface {
	exhausted() // a source has no more records
	ended()     // all records have been processed
	ack(checkpoint.Ack)
	decline(checkpoint.Decline)
}

// subtask is one goroutine of an execution: a chain of operators behind a head.
// All fields belong to it, except where they say otherwise.
type subtask struct {
	id      checkpoint.SubtaskID
	ctx     context.Context
	owner   owner
	log     *slog.Logger
	wake    chan struct{} // something is in the mailbox or the gate
	mailbox mailbox       // any goroutine

	head      head
	ops       []operator // inputs before their consumers
	nodes     []*planned // of ops
	buffers   []flusher
	exchanges []exchange

	source    bool          // the head is a source
	exhausted bool          // and it has no more records
	ended     bool          // all records have been processed, the outputs ended
	triggered checkpoint.ID // the newest that was triggered here
	held      checkpoint.ID // a source reads nothing behind this checkpoint unless it is aborted; zero: none
	at        *opInfo       // the operator whose code is running, nil: none
	persist   persisting
	waits     *waits
	passed    atomic.Uint64 // the newest checkpoint whose barrier has arrived; any goroutine
}

func newSubtask(ctx context.Context, id checkpoint.SubtaskID, o owner, log *slog.Logger, wake chan struct{}) *subtask {
	s := &subtask{id: id, ctx: ctx, owner: o, log: log, wake: wake, waits: &waits{}}
	s.mailbox.wake, s.mailbox.parent = s.wake, ctx
	s.persist.running = map[checkpoint.Ref]context.CancelFunc{}
	return s
}

// enter notes the operator whose code is about to run, for errors and profiles; leave
// restores the one before. After an error or a panic the note stays, and so names the
// operator that failed.
func (s *subtask) enter(o *opInfo) (before *opInfo) {
	before, s.at = s.at, o
	s.label(phaseProcess)
	return before
}

func (s *subtask) leave(before *opInfo) {
	s.at = before
	s.label(phaseProcess)
}

func (s *subtask) label(ph phase) {
	if s.at != nil && s.at.labels[ph] != nil {
		pprof.SetGoroutineLabels(s.at.labels[ph])
	}
}

// guard turns a panic of f into an error that names the operator.
func (s *subtask) guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p := newPanic(s.id.Vertex, v)
			if s.at != nil {
				p.Operator = s.at.id
				if s.at.doing != nil {
					p.At = s.at.doing()
				}
			}
			err = p
		}
	}()
	return f()
}

// open opens the operators from what each starts from.
func (s *subtask) open(openings []opening) error {
	for i, op := range s.ops {
		s.at = op.info()
		if err := op.open(s.ctx, openings[i]); err != nil {
			return err
		}
	}
	s.at = s.ops[0].info()
	s.label(phaseProcess)
	return nil
}

// close ends what the subtask owns.
func (s *subtask) close() error {
	s.persist.cancelAll()
	s.persist.wait.Wait()
	s.mailbox.close()
	var errs []error
	for i := len(s.ops) - 1; i >= 0; i-- {
		s.at = s.ops[i].info()
		if err := s.guard(s.ops[i].close); err != nil {
			errs = append(errs, s.at.fail("close", err))
		}
	}
	return errors.Join(errs...)
}

// run processes records and messages until it is told to stop.
func (s *subtask) run() error {
	s.waits.began.Store(time.Now().UnixNano())
	for {
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
		for _, m := range s.mailbox.take() {
			if m.kind == messageStop {
				return nil
			}
			if err := s.handle(m); err != nil {
				return err
			}
		}
		ev := event{kind: eventIdle}
		if !s.ended && !s.exhausted && s.held == 0 {
			var err error
			if ev, err = s.head.step(); err != nil {
				return err
			}
		}
		var err error
		switch ev.kind {
		case eventLull:
			err = s.flush()
		case eventIdle:
			if err = s.flush(); err == nil {
				s.wait(ev.wait)
			}
		case eventBarrier:
			err = s.checkpoint(ev.aligned)
		case eventSkipped:
			s.decline(ev.skipped, checkpoint.DeclineSkipped, errors.New("an input skipped the barrier and delivered a newer one"))
		case eventEnd:
			err = s.end()
		}
		if err != nil {
			return err
		}
	}
}

// end handles the end of a subtask's input. A source stays as it is until all
// sources are exhausted; everything else finishes.
func (s *subtask) end() error {
	if s.source {
		s.exhausted = true
		s.owner.exhausted()
		return s.flush()
	}
	return s.finish()
}

// finish lets the operators finish one after the other, each behind the last
// record of those before it, and ends the outputs.
func (s *subtask) finish() error {
	for _, op := range s.ops {
		before := s.enter(op.info())
		if err := op.finish(s.ctx); err != nil {
			return err
		}
		s.leave(before)
		if err := s.flush(); err != nil {
			return err
		}
	}
	for _, x := range s.exchanges {
		x.end()
	}
	s.ended = true
	s.owner.ended()
	return nil
}

// flush sends on all that is buffered.
func (s *subtask) flush() error {
	for _, b := range s.buffers {
		if err := b.flush(); err != nil {
			return err
		}
	}
	for _, x := range s.exchanges {
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *subtask) wait(d time.Duration) {
	s.waits.idle.begin()
	defer s.waits.idle.end()
	var after <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-s.wake:
	case <-after:
	case <-s.ctx.Done():
	}
}
