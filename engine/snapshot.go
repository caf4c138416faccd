package engine

import (
	"errors"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// handle acts on a message.
func (s *subtask) handle(m message) error {
	switch m.kind {
	case messageTrigger:
		return s.trigger(m.barrier)
	case messageDrain:
		if !s.ended {
			return s.finish()
		}
	case messageCommitted:
		for _, op := range s.ops {
			s.at = op.info()
			if err := op.committed(s.ctx, m.ref); err != nil {
				return err
			}
		}
	case messageAborted:
		s.head.abort(m.ref.ID)
		if m.ref.ID == s.held {
			s.held = 0
		}
		for _, op := range s.ops {
			op.aborted(m.ref)
		}
	case messagePublish:
		for _, op := range s.ops {
			s.at = op.info()
			if err := op.publish(s.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// trigger starts a checkpoint that did not come with the records: at a source,
// or the final one, when all records are behind.
func (s *subtask) trigger(b checkpoint.Barrier) error {
	switch {
	case b.ID <= s.triggered: // doubled (I6)
	case b.Kind == checkpoint.Final && !s.ended:
		s.decline(b, checkpoint.DeclineSnapshot, errors.New("final checkpoint before the input has ended"))
	case b.Kind != checkpoint.Final && s.ended:
		s.decline(b, checkpoint.DeclineDraining, errors.New("all input has ended: the final checkpoint takes its place"))
	default:
		s.triggered = b.ID
		if b.Stop {
			s.held = b.ID
		}
		return s.checkpoint(aligned{barrier: b, start: max(0, time.Since(b.Triggered))})
	}
	return nil
}

// checkpoint sends the barrier on, fixes the state of all operators, and has
// it persisted beside the records.
func (s *subtask) checkpoint(al aligned) error {
	b := al.barrier
	s.passed.Store(uint64(b.ID))
	s.at = s.ops[0].info()
	s.label(phaseAlign)
	if !s.ended {
		if err := s.flush(); err != nil {
			return err
		}
		for _, x := range s.exchanges {
			x.barrier(b)
		}
	}
	start := time.Now()
	s.label(phaseSnapshot)
	snaps, err := s.snapshot(b)
	sync := time.Since(start)
	s.at = s.ops[0].info()
	s.label(phaseProcess)
	switch {
	case err == nil:
	case errors.Is(err, ErrBroken) || IsPermanent(err) || s.ctx.Err() != nil:
		return err
	case errors.Is(err, errBusy):
		s.decline(b, checkpoint.DeclineBusy, err)
		return nil
	default:
		s.decline(b, checkpoint.DeclineSnapshot, err)
		return nil
	}
	s.persistAsync(b, snaps, checkpoint.Timings{Start: al.start, Align: al.align, Sync: sync})
	return nil
}

// snapshot fixes the state of every operator, or of none.
func (s *subtask) snapshot(b checkpoint.Barrier) (snaps []opSnapshot, err error) {
	if err := s.persist.room(); err != nil {
		return nil, err
	}
	for _, op := range s.ops {
		s.at = op.info()
		snap, err := op.snapshot(s.ctx, b)
		if err != nil {
			release(snaps)
			return nil, err
		}
		snaps = append(snaps, snap)
	}
	return snaps, nil
}

func release(snaps []opSnapshot) {
	for _, snap := range snaps {
		if snap.pending != nil {
			snap.pending.Release()
		}
	}
}

// decline says that the subtask's part of a checkpoint will not come; objects
// are what it may have left in the store.
func (s *subtask) decline(b checkpoint.Barrier, code checkpoint.DeclineCode, why error, objects ...string) {
	s.owner.decline(checkpoint.Decline{Checkpoint: b.ID, Subtask: s.id, Code: code, Text: why.Error(), Objects: objects})
}
