package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

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
		m.writes++
		m.do(writeManifest{manifest})
	}
}

// onManifest sends the swap that commits the checkpoint, unless it was aborted
// meanwhile.
func (m *machine) onManifest(now time.Time, e manifestWritten) {
	m.writes--
	switch {
	case m.phase != leads:
	case m.commit.stage != writing || m.commit.ref != e.ref:
		m.discard([]string{manifestName(e.ref)})
	case e.err != nil:
		m.abort(now, e.ref.ID, byManifest, e.err)
		m.discard([]string{manifestName(e.ref)})
	default:
		m.commit.written = e.written
		m.sendCommit(now)
	}
}

// sendCommit plans the head that holds the checkpoint, and sends it.
func (m *machine) sendCommit(now time.Time) {
	p, _ := m.find(m.commit.ref.ID)
	c := &m.commit
	c.stage, c.next, c.tries = swapping, m.including(now, p), 0
	c.sends++
	if !m.rules.on(ownCommit) {
		m.do(collect{dropped(m.head.Retained, c.next.Retained), c.next.refs()})
	}
	m.do(swapHead{c.next, m.etag})
}

// including returns the head that commits p, retention applied.
func (m *machine) including(now time.Time, p *pending) Head {
	h := m.edited(m.withPolicy(m.head))
	h.NextID, h.Graph = m.next, m.commit.manifest.Graph.Fingerprint()
	ended := func(p Pin) bool { return p.ended(now) }
	h.Pins, h.Tags = slices.DeleteFunc(slices.Clone(h.Pins), ended), slices.DeleteFunc(slices.Clone(h.Tags), ended)
	hold := holds{tags: h.Tags, pins: h.Pins, claims: h.Claims}
	for _, q := range m.pending {
		// What is older than p will be overtaken by it, and needs no base.
		if q.ID > p.ID && q.base.ID != 0 && m.rules.on(baseKept) {
			hold.bases = append(hold.bases, based{q.base.ID, q.ID})
		}
	}
	if p.stop {
		h.Stopped = &Stopped{Checkpoint: p.ID, Reason: m.last.reason, Made: now.UTC()}
	}
	policy := *h.Policy
	if p.kind == checkpoint.Final && policy.OnFinish == SurviveNewest {
		policy = RetentionPolicy{}
	}
	s := m.commit.manifest.Stats
	h.Retained = retain(append(slices.Clone(h.Retained), Retained{
		ID: p.ID, Epoch: p.Epoch, Base: p.base.ID, Kind: p.kind, Triggered: p.triggered.UTC(), Created: now.UTC(), FullBytes: s.FullBytes, NewBytes: s.NewBytes,
		ManifestBytes: m.commit.written.Bytes, ManifestCRC32C: m.commit.written.CRC32C,
	}), now, policy, hold)
	return h
}

// onCommitSwapped takes the answer to a commit.
func (m *machine) onCommitSwapped(now time.Time, e swapped) {
	c := &m.commit
	switch {
	case c.stage != swapping:
	case e.outcome == won:
		m.won(now, c.next, e.etag)
	default:
		c.cause, c.denied = e.err, e.outcome == denied && (c.sends == 1 || !m.rules.on(deniedFirst))
		if !c.since.IsZero() && !c.denied {
			m.rest(now)
			return
		}
		c.stage, c.since = looking, now
		if p, ok := m.find(c.ref.ID); ok && now.Add(doubtToAlarm).Before(p.deadline) {
			p.deadline = now.Add(doubtToAlarm)
		}
		m.raise(now, doubtToAlarm, CommitInDoubt, fmt.Sprintf("the outcome of the commit of checkpoint %d is not known since %s; nothing is committed until head can be read and written: %v", c.ref.ID, now.UTC().Format(time.RFC3339), e.err))
		if e.outcome == unknown {
			m.do(doubt{c.ref.ID, e.err})
		}
		m.do(readHead{})
	}
}

// rest waits before head is looked at again.
func (m *machine) rest(now time.Time) {
	m.commit.stage, m.commit.again = resting, now.Add(backoff(m.commit.tries))
	m.commit.tries++
}

// resolve learns from head what became of the commit. If head is unchanged, that proves
// nothing, since the swap may still be on its way: the same swap is sent again, and
// whichever is applied first makes the store refuse the other. Once head has another
// version, no swap that was sent before can win. If the only swap was denied and head is
// unchanged, it was not applied.
//
// A head of a lower version is an old copy that somebody put back. It is replaced: what it
// retains besides may be deleted already.
func (m *machine) resolve(now time.Time, e headRead) {
	c := &m.commit
	switch {
	case e.err != nil:
		m.rest(now)
	case e.absent:
		m.fenced(now, fmt.Errorf("%w: somebody deleted it: %w", ErrHeadMissing, checkpoint.ErrFenced))
	case e.head.Epoch != m.head.Epoch:
		m.fenced(now, fencedBy(e.head))
	case e.head.obeyed() != nil && !c.next.sameStop(e.head):
		m.fenced(now, fmt.Errorf("%w: %w", e.head.obeyed(), checkpoint.ErrFenced))
	case e.head.has(c.ref):
		m.won(now, e.head, e.etag)
	case !m.rules.on(headDecides), c.denied && e.etag == m.etag:
		m.abort(now, c.ref.ID, byCommit, fmt.Errorf("write head: %w", c.cause))
	case e.head.Version > m.head.Version, e.head.Version == m.head.Version && e.etag != m.etag && m.rules.on(sameHead):
		m.rebase(now, e.head, e.etag)
	default:
		c.stage = swapping
		c.sends++
		m.do(swapHead{c.next, e.etag})
	}
}

// rebase goes on from a head that a tool edited meanwhile: it plans the commit anew on
// that head. What only checkpoints reached that the tool dropped is an orphan.
func (m *machine) rebase(now time.Time, h Head, etag string) {
	if h.Version > m.head.Version {
		m.commit.sends = 0 // else the tool may yet bring the old ETag back
	}
	if len(dropped(m.head.Retained, h.Retained)) > 0 {
		m.sweepBy(now)
	}
	m.head, m.etag = h, etag
	m.abortBaseless(now)
	if m.commit.stage != noCommit {
		m.clear(CommitInDoubt)
		m.commit.since = time.Time{}
		m.sendCommit(now)
	}
}

// abortBaseless aborts checkpoints whose base a tool dropped from head: objects that
// they reuse may be deleted.
func (m *machine) abortBaseless(now time.Time) {
	for _, p := range slices.Clone(m.pending) {
		if p.base.ID != 0 && !m.head.has(p.base.Ref) && m.rules.on(baseKept|rebasesOnBase) {
			m.abort(now, p.ID, byBase, fmt.Errorf("checkpoint %d: %w", p.base.ID, errBaseGone))
		}
	}
}

// settled ends the commit under way.
func (m *machine) settled() {
	m.commit = commit{}
	m.clear(CommitInDoubt)
}

// won ends a commit that head holds.
func (m *machine) won(now time.Time, h Head, etag string) {
	gone := dropped(m.head.Retained, h.Retained)
	m.head, m.etag = h, etag
	c := m.commit
	m.settled()
	m.clear(CheckpointsFailing)
	q, _ := m.find(c.ref.ID)
	p := *q
	m.pending = slices.DeleteFunc(m.pending, func(q pending) bool { return q.ID == p.ID })
	m.base, m.lineage, m.failures, m.late, m.refusals = base{p.Ref, c.manifest.Objects()}, true, 0, 0, 0
	m.patience = m.bounded(2 * now.Sub(p.triggered))
	m.end(now, p, Completed, "", nil)
	for _, old := range slices.Clone(m.pending) {
		if old.ID < p.ID {
			m.abort(now, old.ID, byOvertaken, errOvertaken)
		}
	}
	m.abortBaseless(now)
	for _, r := range gone {
		m.do(moved{r.ID, Subsumed})
	}
	if m.rules.on(ownCommit) {
		m.do(collect{gone, h.refs()})
	}
	if m.isLast(p) {
		m.lastWon(p)
	}
}
