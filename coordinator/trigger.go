package coordinator

import (
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// pace says how often a job wants checkpoints.
type pace struct {
	interval, minPause time.Duration
	records            int64 // zero: however many
	maxConcurrent      int
}

// demand is what there is to decide by whether a checkpoint starts.
type demand struct {
	last      last
	requested bool
	pending   int
	records   int64     // that were read since the last one was triggered
	started   time.Time // when the attempt was
	triggered time.Time // when the last of the job's own was; zero: none was
	ended     time.Time // when the last one ended; zero: none did
}

// allows reports whether a checkpoint could start, if it were time.
func (p pace) allows(d demand) bool {
	if d.last.stage == lastWanted {
		return d.pending == 0
	}
	return d.last.stage == notLast && d.pending < p.maxConcurrent
}

// due returns when the next checkpoint is due, and why; false: not before something else
// happens. PROTOCOL.md has it as a table.
func (p pace) due(d demand) (at time.Time, why history.Trigger, ok bool) {
	switch {
	case d.last.stage == lastWanted && d.last.ended:
		return d.last.after, history.ByEnd, true
	case d.last.stage == lastWanted:
		return d.last.after, history.ByStop, true
	case d.requested:
		return time.Time{}, history.ByRequest, true
	}
	if !d.ended.IsZero() {
		at = d.ended.Add(p.minPause)
	}
	switch {
	case p.records > 0 && d.records >= p.records:
		return at, history.ByRecords, true
	case p.interval == 0:
		return time.Time{}, "", false
	}
	from := d.started
	if d.triggered.After(from) {
		from = d.triggered
	}
	if t := from.Add(p.interval); t.After(at) {
		at = t
	}
	return at, history.ByInterval, true
}

func (m *machine) demand() demand {
	return demand{m.last, m.wanted, len(m.pending), m.records, m.attempt.started, m.lastTrigger, m.lastEnd}
}

// triggerable reports whether a checkpoint could start now, if it were time.
func (m *machine) triggerable() bool {
	if m.phase != leads || m.attempt.stage != running || m.attempt.failing || !m.pace.allows(m.demand()) {
		return false
	}
	// A swap that is not resolved may yet drop the base.
	drops := m.commit.inDoubt() && m.base.ID != 0 && !m.commit.next.has(m.base.Ref)
	return !drops || !m.rules.on(baseKept)
}

// nextTrigger returns when the next checkpoint starts if nothing else happens; false: none
// does.
func (m *machine) nextTrigger() (time.Time, bool) {
	at, _, due := m.pace.due(m.demand())
	return at, due && m.triggerable()
}

func (m *machine) mayTrigger(now time.Time) bool {
	at, due := m.nextTrigger()
	return due && !now.Before(at)
}

// trigger starts a checkpoint.
func (m *machine) trigger(now time.Time) {
	_, why, _ := m.pace.due(m.demand())
	kind := checkpoint.Periodic
	switch why {
	case history.ByEnd:
		kind, m.last.stage = checkpoint.Final, lastPending
	case history.ByStop:
		kind, m.last.stage, m.wanted = checkpoint.Manual, lastPending, false // it serves whoever asked, too
	case history.ByRequest:
		kind, m.wanted = checkpoint.Manual, false
	default:
		m.lastTrigger = now
	}
	m.records = 0
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
