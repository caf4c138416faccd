package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// commit is the one commit under way. Only one swap of head is ever
// unresolved, so that what head may hold is always one of two things.
type commit struct {
	stage    commitStage
	ref      Ref
	manifest *incremental.Manifest
	next     Head // as it was or will be sent
	fence    Head
	cause    error // why the outcome is in doubt
	tries    int   // how often it stayed so
	again    time.Time
}

type commitStage uint8

const (
	noCommit commitStage = iota
	writing              // the manifest
	swapping             // head, to include the checkpoint
	looking              // at head, since the outcome is in doubt
	fencing              // swapping head for the same, so that the first swap can win no more
	resting              // before looking again
)

// sent reports whether the swap that commits id was sent: nothing but a swap
// can end it then.
func (c commit) sent(id checkpoint.ID) bool { return c.ref.ID == id && c.inDoubt() }

// inDoubt reports whether there is a swap that may or may not win.
func (c commit) inDoubt() bool { return c.stage > writing }

// startCommit begins to commit the oldest checkpoint that is acknowledged by
// all, and goes on with a commit that rested long enough.
func (m *machine) startCommit(now time.Time) {
	if m.commit.stage == resting && !now.Before(m.commit.again) {
		m.commit.stage = looking
		m.do(readHead{})
	}
	for m.commit.stage == noCommit {
		i := slices.IndexFunc(m.pending, func(p pending) bool { return p.missing == 0 })
		if i < 0 {
			return
		}
		p := &m.pending[i]
		manifest, err := m.assemble(now, p)
		if err != nil {
			m.abort(now, p.ID, byAck, err)
			continue
		}
		p.stats = manifest.Stats
		m.commit = commit{stage: writing, ref: p.Ref, manifest: manifest}
		m.do(writeManifest{manifest})
	}
}

// onManifest sends the swap that commits the checkpoint, if it still is.
func (m *machine) onManifest(now time.Time, e manifestWritten) {
	if m.phase != leads {
		return
	}
	if m.commit.stage != writing || m.commit.ref != e.ref {
		m.discard([]string{manifestName(e.ref)}) // it was aborted meanwhile
		return
	}
	if e.err != nil {
		m.abort(now, e.ref.ID, byManifest, e.err)
		m.discard([]string{manifestName(e.ref)})
		return
	}
	p, _ := m.find(e.ref.ID)
	m.commit.stage, m.commit.next = swapping, m.including(now, p)
	if !m.rules.on(ownCommit) {
		m.do(collect{dropped(m.head.Retained, m.commit.next.Retained), m.commit.next.refs()})
	}
	m.do(swapHead{m.commit.next, m.etag})
}

// including returns the head that commits p, retention applied.
func (m *machine) including(now time.Time, p *pending) Head {
	h := m.edited(m.head)
	h.NextID, h.Graph = m.next, m.commit.manifest.Graph.Fingerprint()
	hold := holds{tags: h.Tags, pins: h.Pins, claims: h.Claims}
	for _, q := range m.pending {
		// What is older than p will be overtaken by it, and needs no base.
		if q.ID > p.ID && q.base.ID != 0 && m.rules.on(baseKept) {
			hold.bases = append(hold.bases, based{q.base.ID, q.ID})
		}
	}
	s := m.commit.manifest.Stats
	h.Retained = retain(append(slices.Clone(h.Retained), Retained{
		ID: p.ID, Epoch: p.Epoch, Base: p.base.ID, Kind: Kind(p.kind), Triggered: p.triggered.UTC(), Created: now.UTC(), FullBytes: s.FullBytes, NewBytes: s.NewBytes,
	}), now, m.policy, hold)
	return h
}

// onCommitSwapped takes the answer to a commit or to its fence.
func (m *machine) onCommitSwapped(now time.Time, e swapped) {
	c := &m.commit
	switch {
	case c.stage == swapping && e.outcome == won:
		m.won(now, c.next, e.etag)
	case c.stage == swapping:
		c.stage, c.cause = looking, e.err
		m.do(doubt{c.ref.ID, e.err}, readHead{})
	case c.stage == fencing && e.outcome == won:
		m.lost(now, c.fence, e.etag)
	case c.stage == fencing:
		m.rest(now)
	}
}

// rest waits before head is looked at again.
func (m *machine) rest(now time.Time) {
	m.commit.stage, m.commit.again = resting, now.Add(backoff(m.commit.tries))
	m.commit.tries++
}

// resolve learns from head what became of the commit. That head lacks the
// checkpoint proves nothing while the swap may still be on its way: only a
// later version of head does, be it this leader's fence.
func (m *machine) resolve(now time.Time, e headRead) {
	c := &m.commit
	switch {
	case e.err != nil:
		m.rest(now)
	case e.absent:
		m.fenced(now, fmt.Errorf("%w: somebody deleted it: %w", ErrHeadMissing, checkpoint.ErrFenced))
	case e.head.Epoch != m.head.Epoch:
		m.fenced(now, fencedBy(e.head))
	case e.head.has(c.ref):
		m.won(now, e.head, e.etag)
	case e.head.Version > m.head.Version, !m.rules.on(fenceUnknown):
		m.lost(now, e.head, e.etag)
	default:
		c.stage, c.fence = fencing, m.edited(e.head)
		m.do(swapHead{c.fence, e.etag})
	}
}

// won: head holds the checkpoint.
func (m *machine) won(now time.Time, h Head, etag string) {
	gone := dropped(m.head.Retained, h.Retained)
	m.head, m.etag = h, etag
	c := m.commit
	m.commit = commit{}
	q, _ := m.find(c.ref.ID)
	p := *q
	m.pending = slices.DeleteFunc(m.pending, func(q pending) bool { return q.ID == p.ID })
	m.base, m.lineage, m.failures = base{p.Ref, c.manifest.Objects()}, true, 0
	m.end(now, p, Completed, "", nil)
	for _, old := range slices.Clone(m.pending) {
		if old.ID < p.ID {
			m.abort(now, old.ID, byOvertaken, errOvertaken)
		}
	}
	for _, r := range gone {
		m.do(moved{r.ID, Subsumed})
	}
	if m.rules.on(ownCommit) {
		m.do(collect{gone, h.refs()})
	}
	if p.kind == checkpoint.Final && m.final == finalPending {
		m.final = finalDone
		m.do(finished{})
	}
}

// lost: head does not hold the checkpoint, and never will.
func (m *machine) lost(now time.Time, h Head, etag string) {
	m.head, m.etag = h, etag
	m.abort(now, m.commit.ref.ID, byCommit, fmt.Errorf("write head: %w", m.commit.cause))
}
