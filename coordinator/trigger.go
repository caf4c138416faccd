package coordinator

import (
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// triggerable reports whether a checkpoint could start now, if it were time.
func (m *machine) triggerable() bool {
	switch {
	case m.phase != leads || m.attempt.stage != running || m.attempt.failing || m.last.stage == lastComing || m.last.stage == lastPending || m.last.stage == lastDone:
		return false
	case m.last.stage == lastWanted:
		return len(m.pending) == 0
	case len(m.pending) >= m.maxConcurrent:
		return false
	}
	// A swap that is not resolved may yet drop the base.
	drops := m.commit.inDoubt() && m.base.ID != 0 && !m.commit.next.has(m.base.Ref)
	return !drops || !m.rules.on(baseKept)
}

// triggerAt returns when the next checkpoint is due.
func (m *machine) triggerAt() (time.Time, bool) {
	switch {
	case m.last.stage == lastWanted:
		return m.last.after, true
	case m.wanted:
		return time.Time{}, true
	case m.interval == 0:
		return time.Time{}, false
	}
	at := m.attempt.started.Add(m.interval)
	if t := m.lastTrigger.Add(m.interval); !m.lastTrigger.IsZero() && t.After(at) {
		at = t
	}
	if t := m.lastEnd.Add(m.minPause); !m.lastEnd.IsZero() && t.After(at) {
		at = t
	}
	return at, true
}

func (m *machine) mayTrigger(now time.Time) bool {
	at, due := m.triggerAt()
	return due && !now.Before(at) && m.triggerable()
}

// trigger starts a checkpoint.
func (m *machine) trigger(now time.Time) {
	kind, why := checkpoint.Periodic, history.ByInterval
	switch {
	case m.last.stage == lastWanted && m.last.ended:
		kind, why, m.last.stage = checkpoint.Final, history.ByEnd, lastPending
	case m.last.stage == lastWanted:
		kind, why, m.last.stage, m.wanted = checkpoint.Manual, history.ByStop, lastPending, false // it serves whoever asked, too
	case m.wanted:
		kind, why, m.wanted = checkpoint.Manual, history.ByRequest, false
	}
	if kind == checkpoint.Periodic {
		m.lastTrigger = now
	}
	p := pending{
		Ref: Ref{ID: m.nextID(), Epoch: m.head.Epoch}, kind: kind, trigger: why, stop: why == history.ByStop, triggered: now, deadline: now.Add(max(m.timeout, m.patience)), attempt: m.attempt.number,
		acks: make([]*checkpoint.Ack, len(m.attempt.subtasks)), missing: len(m.attempt.subtasks),
	}
	if m.rules.on(baseNamed) && m.head.has(m.base.Ref) {
		p.base = m.base
	}
	m.pending = append(m.pending, p)
	q := &m.pending[len(m.pending)-1]
	m.move(q, Triggered)
	if kind == checkpoint.Manual {
		m.do(asking{p.ID})
	}
	m.do(trigger{checkpoint.Barrier{ID: p.ID, Epoch: p.Epoch, Base: p.base.ID, Kind: kind, Stop: p.stop, Triggered: now}})
	m.move(q, Aligning)
}

// nextID takes an id that was never used in this epoch.
func (m *machine) nextID() checkpoint.ID {
	id := m.next
	if !m.rules.on(namesOnce) {
		id = m.head.NextID
		for _, p := range m.pending {
			id = max(id, p.ID+1)
		}
	}
	m.next = max(m.next, id+1)
	return id
}
