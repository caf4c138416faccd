package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// ack takes a subtask's part of a checkpoint. The first acknowledgement of a
// subtask counts; one for a checkpoint that was aborted revives nothing, and
// what it uploaded is of no use to anybody.
func (m *machine) ack(now time.Time, a checkpoint.Ack) {
	if m.phase != leads || a.Epoch != m.head.Epoch {
		return
	}
	p, ok := m.find(a.Checkpoint)
	if !ok {
		if slices.Contains(m.aborts, a.Checkpoint) {
			m.discard(ownObjects(a.Ref(), &a))
		}
		return
	}
	i := slices.Index(m.attempt.subtasks, a.Subtask)
	if a.Attempt != p.attempt || i < 0 || i >= len(p.acks) || p.acks[i] != nil {
		return
	}
	p.acks[i] = &a
	p.missing--
	if err := m.check(p, &a); err != nil {
		m.abort(now, p.ID, byAck, fmt.Errorf("acknowledgement of subtask %s: %w", a.Subtask, err))
		return
	}
	if p.state < Persisting {
		m.move(p, Persisting)
	}
	if p.missing == 0 {
		m.move(p, Committing)
	}
}

// check refuses an acknowledgement that reaches what neither this checkpoint
// uploaded nor its base holds: nobody would keep that for it.
func (m *machine) check(p *pending, a *checkpoint.Ack) error {
	for _, o := range a.Operators {
		h, err := handle(o)
		if err != nil {
			return err
		}
		if h == nil || !m.rules.on(baseNamed) {
			continue
		}
		for _, object := range h.Objects {
			if was, ok := p.base.objects[object.Name]; ok {
				if was != object {
					return fmt.Errorf("object %s has %d bytes and checksum %08x, but %d and %08x in checkpoint %d", object.Name, object.Size, object.CRC32C, was.Size, was.CRC32C, p.base.ID)
				}
				continue
			}
			if !uploadedFor(p.Ref, object.Name) {
				return fmt.Errorf("object %s is neither of checkpoint %d nor of its base %d", object.Name, p.ID, p.base.ID)
			}
		}
	}
	return nil
}

// handle returns what is behind the keyed state of an operator, nil for none.
func handle(o checkpoint.OperatorSnapshot) (*incremental.Handle, error) {
	if o.Keyed == nil {
		return nil, nil
	}
	h, ok := o.Keyed.(*incremental.Handle)
	if !ok || h == nil {
		return nil, fmt.Errorf("operator %s/%d: keyed state is a %T, and only an incremental.Handle can be committed", o.Operator, o.Index, o.Keyed)
	}
	return h, nil
}

// uploadedFor reports whether a data object was uploaded for a checkpoint.
func uploadedFor(r Ref, object string) bool {
	n, ok := incremental.ParseObjectName(object)
	return ok && n.Epoch == r.Epoch && n.Checkpoint == r.ID
}

// ownObjects lists the objects in an acknowledgement that were uploaded for
// the checkpoint.
func ownObjects(r Ref, a *checkpoint.Ack) []string {
	var names []string
	for _, o := range a.Operators {
		if h, err := handle(o); err == nil && h != nil {
			for _, object := range h.Objects {
				if uploadedFor(r, object.Name) {
					names = append(names, object.Name)
				}
			}
		}
	}
	return names
}

// decline aborts a checkpoint that a subtask cannot take.
func (m *machine) decline(now time.Time, d checkpoint.Decline) {
	if m.phase != leads || d.Epoch != m.head.Epoch {
		return
	}
	if p, ok := m.find(d.Checkpoint); ok && d.Attempt == p.attempt && !m.commit.sent(p.ID) {
		why := byDecline
		if d.Code == checkpoint.DeclineDraining {
			why = byDrain
		}
		m.abort(now, p.ID, why, fmt.Errorf("subtask %s declined (%v): %s", d.Subtask, d.Code, d.Text))
	}
	if slices.Contains(m.aborts, d.Checkpoint) {
		m.discard(slices.DeleteFunc(slices.Clone(d.Objects), func(o string) bool { return !uploadedFor(d.Ref(), o) }))
	}
}

// discard deletes objects that no checkpoint can ever reach.
func (m *machine) discard(names []string) {
	if len(names) > 0 {
		m.do(discard{names})
	}
}

// abort ends a checkpoint for good: its swap was never sent, or was fenced.
func (m *machine) abort(now time.Time, id checkpoint.ID, c cause, reason error) {
	q, ok := m.find(id)
	if !ok {
		return
	}
	p := *q
	var names []string
	for _, a := range p.acks {
		if a != nil {
			names = append(names, ownObjects(p.Ref, a)...)
		}
	}
	if m.commit.ref == p.Ref {
		if m.commit.stage > writing { // else its manifest is discarded once it was written
			names = append(names, manifestName(p.Ref))
		}
		m.commit = commit{}
	}
	if m.aborts = append(slices.Clone(m.aborts), p.ID); len(m.aborts) > maxAborts {
		m.aborts = m.aborts[1:]
	}
	m.pending = slices.DeleteFunc(m.pending, func(p pending) bool { return p.ID == id })
	m.end(now, p, Aborted, c, reason)
	m.discard(names)
	if c.counts() {
		m.failed(p, reason)
	}
	if p.kind == checkpoint.Final && m.final == finalPending {
		m.retryFinal(now, reason)
	}
}

// end tells everybody of a checkpoint's end.
func (m *machine) end(now time.Time, p pending, to State, c cause, reason error) {
	m.lastEnd = now
	m.do(moved{p.ID, to})
	if m.attempt.stage == running && m.attempt.number == p.attempt {
		if to == Completed {
			m.do(committed{p.Ref})
		} else {
			m.do(aborted{p.Ref, reason})
		}
	}
	m.do(ended{p.report(now, to, reason), c, to == Aborted && c.counts()})
}

// failed counts a failure, and ends the attempt with the first that is not
// tolerated.
func (m *machine) failed(p pending, reason error) {
	m.failures++
	if m.failures == m.tolerable+1 && m.tolerable >= 0 && m.attempt.stage == running {
		m.attempt.failing = true
		m.do(fail{fmt.Errorf("%d checkpoints in a row failed, and %d are tolerated; the last was %d: %w", m.failures, m.tolerable, p.ID, reason)})
	}
}

// retryFinal takes the final checkpoint again, unless too many have failed.
func (m *machine) retryFinal(now time.Time, reason error) {
	if m.tolerable >= 0 && m.failures > m.tolerable {
		m.final = notFinal
		m.do(finished{fmt.Errorf("final checkpoint: %w", reason)})
		return
	}
	m.final, m.finalAfter = finalWanted, now.Add(backoff(m.failures))
}

// backoff is the pause before something is tried again that failed n times.
func backoff(n int) time.Duration {
	return min(100*time.Millisecond<<min(n, 10), 10*time.Second)
}
