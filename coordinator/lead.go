package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// leading is the attempt to become the leader.
type leading struct {
	tries int
	sent  Head // the head that was written last
}

// maxLeadTries bounds how often a swap that others won, or of unknown outcome,
// is tried again before the job gives up.
const maxLeadTries = 8

func (m *machine) open() {
	m.phase = opening
	m.do(readHead{})
}

// onHead goes on with whatever head was read for.
func (m *machine) onHead(now time.Time, e headRead) {
	switch {
	case m.phase == opening:
		m.leadOn(e)
	case m.phase == leads && m.commit.stage == looking:
		m.resolve(now, e)
	}
}

// leadOn tries to take the epoch after the one that head shows.
func (m *machine) leadOn(e headRead) {
	switch {
	case e.err != nil:
		m.giveUp(fmt.Errorf("lead job %q: %w", m.job, e.err))
	case e.absent:
		m.do(probe{})
	case e.head.Writer == m.nonce && e.head.Version == m.lead.sent.Version:
		m.leads(e.head, e.etag) // an earlier try was applied
	default:
		next := m.edited(e.head)
		next.Epoch, next.Writer = e.head.Epoch+1, m.nonce
		m.swapToLead(next, e.etag)
	}
}

// onProbed creates head, unless there are objects that a head once accounted
// for: with an empty head they would be lost.
func (m *machine) onProbed(e probed) {
	switch {
	case m.phase != opening:
	case e.err != nil:
		m.giveUp(fmt.Errorf("lead job %q: %w", m.job, e.err))
	case e.found != "":
		m.giveUp(fmt.Errorf("lead job %q: %w, but there is %s: nothing was created or deleted; put back head (a bucket with versions has it), or give the job another place", m.job, ErrHeadMissing, e.found))
	default:
		first := m.edited(Head{Job: m.job})
		first.Version, first.Epoch, first.NextID, first.Writer = 1, 1, 1, m.nonce
		m.swapToLead(first, "")
	}
}

func (m *machine) swapToLead(h Head, etag string) {
	if m.lead.tries++; m.lead.tries > maxLeadTries {
		m.giveUp(fmt.Errorf("lead job %q: head could not be written in %d tries; is another coordinator of the job starting? last it was of epoch %d", m.job, maxLeadTries, h.Epoch-1))
		return
	}
	m.lead.sent = h
	m.do(swapHead{h, etag})
}

// onSwapped goes on with whatever head was written for.
func (m *machine) onSwapped(now time.Time, e swapped) {
	switch {
	case m.phase == leads:
		m.onCommitSwapped(now, e)
	case m.phase != opening:
	case e.outcome == won:
		m.leads(m.lead.sent, e.etag)
	case e.err != nil && permanent(e.err):
		m.giveUp(fmt.Errorf("lead job %q: %w", m.job, e.err))
	default:
		m.do(readHead{})
	}
}

func (m *machine) leads(h Head, etag string) {
	m.phase, m.head, m.etag, m.next = leads, h, etag, h.NextID
	m.do(lead{h.Epoch})
}

func (m *machine) giveUp(err error) {
	m.phase, m.why = stopped, err
	m.do(stop{err})
}

// edited returns the head that follows h, with a version and an edit of its
// own and nothing else changed.
func (m *machine) edited(h Head) Head {
	if m.rules.on(uniqueVersion) {
		h.Version++
	}
	m.edits++
	h.Edit = fmt.Sprintf("%s-%d", m.nonce, m.edits)
	return h
}

// attach begins an attempt.
func (m *machine) attach(e attached) {
	switch {
	case m.phase != leads:
		m.do(attachDone{err: fmt.Errorf("attach attempt %d: %w", e.attempt, m.why)})
	case m.attempt.stage != noAttempt:
		m.do(attachDone{err: fmt.Errorf("attach attempt %d: attempt %d is still attached", e.attempt, m.attempt.number)})
	default:
		// A commit of the last attempt may still win, and is then the newest.
		m.attempt = attempt{stage: waiting, number: e.attempt, graph: e.graph}
		m.final, m.failures = notFinal, 0
	}
}

// chooseRestore picks what the attempt starts from: once this epoch committed
// something, the newest; before, what the job was told to.
func (m *machine) chooseRestore() {
	choice := m.restore
	if m.lineage {
		choice = RestoreLatest()
	}
	var from Retained
	ok := !choice.empty && len(m.head.Retained) > 0
	if ok {
		from = m.head.Retained[len(m.head.Retained)-1]
	}
	if choice.id != 0 {
		if from, ok = m.head.find(choice.id); !ok {
			m.attempt = attempt{}
			m.do(attachDone{err: fmt.Errorf("%w: restore checkpoint %d: %w; retained are: %s", checkpoint.ErrUnrestorable, choice.id, ErrNotRetained, m.head.ids())})
			return
		}
	}
	if !ok {
		m.base = base{}
		m.attempt.stage = ready
		m.do(attachDone{})
		return
	}
	m.attempt.stage, m.attempt.from = restoring, from.Ref()
	m.do(restore{from.Ref()})
}

// onRestored hands the attempt its manifest.
func (m *machine) onRestored(e restored) {
	if m.attempt.stage != restoring || e.ref != m.attempt.from {
		return
	}
	if e.err != nil {
		m.attempt = attempt{}
		m.do(attachDone{err: fmt.Errorf("%w; nothing was deleted; retained checkpoints to choose from: %s", e.err, m.head.ids())})
		return
	}
	m.attempt.stage = ready
	m.base = base{Ref{ID: e.manifest.Checkpoint, Epoch: e.manifest.Epoch}, e.manifest.Objects()}
	m.do(attachDone{manifest: e.manifest})
}

// detach ends an attempt. A checkpoint whose swap was sent cannot be aborted
// any more, and is resolved without it.
func (m *machine) detach(now time.Time) {
	if m.phase != leads {
		m.attempt = attempt{}
		return
	}
	if m.attempt.stage == waiting || m.attempt.stage == restoring {
		m.do(attachDone{err: errDetached})
	}
	for _, p := range slices.Clone(m.pending) {
		if !m.commit.sent(p.ID) {
			m.abort(now, p.ID, byDetach, errDetached)
		}
	}
	m.attempt = attempt{}
	if m.final == finalWanted || m.final == finalPending {
		m.do(finished{errDetached})
	}
	m.final, m.wanted = notFinal, false
}

// permanent reports whether a request of the store fails in the same way
// however often it is tried.
func permanent(err error) bool {
	for _, is := range []error{upload.ErrDenied, upload.ErrNoBucket, upload.ErrNoSpace, upload.ErrUnsupported} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}
