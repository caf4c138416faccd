package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// maxLeadTries bounds how often a start reads head again, because somebody else wrote
// it or the outcome of its own write is not known.
const maxLeadTries = 8

func (m *machine) open() {
	m.phase = opening
	m.do(readHead{})
}

// onHead goes on with what head was read for.
func (m *machine) onHead(now time.Time, e headRead) {
	switch {
	case m.phase == opening:
		m.leadOn(e)
	case m.phase == leads && m.commit.stage == looking:
		m.resolve(now, e)
	}
}

// leadOn tries to take the epoch after the one that head shows. Before that it
// checks that the job is the one that head belongs to: taking the epoch stops
// the leader that is there.
func (m *machine) leadOn(e headRead) {
	switch {
	case e.err == nil && !e.absent && e.head.Writer == m.nonce && e.head.Epoch == m.lead.sent.Epoch:
		m.leads(e.head, e.etag) // an earlier try was applied
		return
	case m.lead.denied != nil:
		m.giveUp(m.lead.denied)
		return
	case e.err != nil:
		m.giveUp(e.err)
		return
	case e.absent:
		m.do(probe{})
		return
	}
	if e.head.Job != m.job {
		m.giveUp(fmt.Errorf("head belongs to job %q: %w; nothing was changed", e.head.Job, incremental.ErrWrongJob))
		return
	}
	h := e.head
	if m.resume && h.Stopped.resumable(h) {
		h.Stopped = nil
	}
	if err := errors.Join(h.obeyed(), h.restorable(m.restore)); err != nil {
		m.giveUp(fmt.Errorf("%w; nothing was changed", err))
		return
	}
	from, ok, err := e.head.choose(m.restore)
	if err != nil {
		m.giveUp(err)
		return
	}
	// A leader that commits faster than its manifests are read must not keep
	// others from taking over: one of a graph that fits need not be read.
	if ok && from != m.lead.checked && (m.lead.fits == "" || e.head.Graph != m.lead.fits) {
		m.lead.found = e
		m.do(readManifest{from})
		return
	}
	next := m.edited(m.withPolicy(h))
	next.Epoch = e.head.Epoch + 1
	m.lead.cleared = e.head.Stopped
	m.swapToLead(next, e.etag)
}

// onInspected compares the job with the checkpoint that it is to start from.
func (m *machine) onInspected(e manifestRead) {
	if e.err != nil {
		// A leader may have dropped the checkpoint meanwhile, or bytes were
		// damaged on their way: look once more at each.
		if m.lead.tries++; m.lead.failed == e.ref || m.lead.tries > maxLeadTries {
			m.giveUp(unreadable(e, m.lead.found.head))
			return
		}
		m.lead.failed = e.ref
		m.do(readHead{})
		return
	}
	if err := m.graph.Fit(e.manifest.Graph, e.manifest.Restored().Stateful(), m.drop); err != nil {
		m.giveUp(fmt.Errorf("checkpoint %d: %w; nothing was changed", e.ref.ID, err))
		return
	}
	m.lead.checked = e.ref
	var all []checkpoint.OperatorID // another checkpoint of the graph may hold state of any
	for _, o := range e.manifest.Graph.Operators {
		all = append(all, o.ID)
	}
	if m.graph.Fit(e.manifest.Graph, all, m.drop) == nil {
		m.lead.fits = e.manifest.Graph.Fingerprint()
	}
	m.leadOn(m.lead.found)
}

// onProbed creates head, unless there are objects that an earlier head's checkpoints
// reach: with an empty head they would be orphans.
func (m *machine) onProbed(e probed) {
	switch {
	case m.phase != opening:
	case e.err != nil:
		m.giveUp(e.err)
	case e.found != "":
		m.giveUp(fmt.Errorf("%w, or give the job another place", headMissing(e.found)))
	default:
		first := m.edited(m.withPolicy(Head{Job: m.job}))
		first.Version, first.Epoch, first.NextID = 1, 1, 1
		m.swapToLead(first, "")
	}
}

func (m *machine) swapToLead(h Head, etag string) {
	if m.lead.tries++; m.lead.tries > maxLeadTries {
		m.giveUp(fmt.Errorf("head could not be written in %d tries; is another coordinator of the job starting? its epoch was %d", maxLeadTries, h.Epoch-1))
		return
	}
	h.Writer, h.Leader = m.nonce, m.leader
	m.lead.sent = h
	m.do(swapHead{h, etag})
}

// onSwapped goes on with what head was written for.
func (m *machine) onSwapped(now time.Time, e swapped) {
	switch {
	case m.phase == leads:
		m.onCommitSwapped(now, e)
	case m.phase != opening:
	case e.outcome == won:
		m.leads(m.lead.sent, e.etag)
	default:
		// Also after a denial: a store may deny what it has applied.
		if e.err != nil && permanent(e.err) {
			m.lead.denied = e.err
		}
		m.do(readHead{})
	}
}

func (m *machine) leads(h Head, etag string) {
	m.phase, m.head, m.etag, m.next = leads, h, etag, h.NextID
	m.lead.found = headRead{}
	m.do(lead{h.Epoch, m.lead.cleared})
}

func (m *machine) giveUp(err error) {
	m.phase, m.why = stopped, fmt.Errorf("lead job %q: %w", m.job, err)
	m.do(stop{m.why})
}

// edited returns the head that follows h, with a version and an edit of its
// own and nothing else changed.
func (m *machine) edited(h Head) Head {
	h.Version++
	m.edits++
	h.Edit = fmt.Sprintf("%s-%d", m.nonce, m.edits)
	return h
}

// withPolicy returns the head with the policy of the settings, if it has none.
func (m *machine) withPolicy(h Head) Head {
	if h.Policy == nil {
		h.Policy = &m.policy
	}
	return h
}

// permanent reports whether a request of the store fails in the same way
// however often it is tried.
func permanent(err error) bool {
	return upload.Refused(err) || errors.Is(err, upload.ErrNoSpace)
}
