package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// attach begins an attempt.
func (m *machine) attach(e attached) {
	refuse := func(err error) { m.do(attachDone{err: fmt.Errorf("attach attempt %d: %w", e.attempt, err)}) }
	if err := m.refusal(); err != nil {
		refuse(err)
		return
	}
	if m.attempt.stage != noAttempt {
		refuse(fmt.Errorf("attempt %d is still attached", m.attempt.number))
		return
	}
	// A commit of the last attempt may still win, and is then the newest.
	m.attempt = attempt{stage: waiting, number: e.attempt, graph: e.graph, chains: e.graph.Vertices()}
	m.last, m.failures, m.late, m.refusals = last{}, 0, 0, 0
}

// chooseRestore picks the checkpoint that the attempt starts from: the newest, if this
// epoch has committed one; else the one that the options choose.
func (m *machine) chooseRestore() {
	choice := m.restore
	if m.lineage {
		choice = RestoreLatest()
	}
	from, ok, err := m.head.choose(choice)
	switch {
	case err != nil:
		m.attempt = attempt{}
		m.do(attachDone{err: err})
	case !ok:
		m.base = base{}
		m.attempt.stage = ready
		m.do(attachDone{})
	default:
		m.attempt.stage, m.attempt.from = restoring, from
		m.do(readManifest{from})
	}
}

// onManifestRead goes on with what the manifest was read for.
func (m *machine) onManifestRead(e manifestRead) {
	switch {
	case m.phase == opening:
		m.onInspected(e)
	case m.attempt.stage != restoring || e.ref != m.attempt.from:
	case e.err != nil:
		m.attempt = attempt{}
		m.do(attachDone{err: unreadable(e, m.head)})
	default:
		m.attempt.stage = ready
		m.base = base{e.ref, e.manifest.Objects()}
		if e.manifest.Kind == checkpoint.Final {
			m.sound = true // nothing will run that could prove it
		}
		m.do(attachDone{manifest: e.manifest})
	}
}

// start lets checkpoints begin. It is also when the objects that earlier
// attempts and epochs left behind are swept: nothing is pending, and what was
// restored proved to be readable.
func (m *machine) start(now time.Time, e started) {
	if err := m.refusal(); err != nil {
		m.do(startDone{err})
		return
	}
	if m.attempt.stage != ready || e.execution != (checkpoint.Execution{Epoch: m.head.Epoch, Attempt: m.attempt.number}) {
		return
	}
	m.attempt.stage, m.attempt.started, m.records = running, now, 0
	m.attempt.subtasks = make(map[checkpoint.SubtaskID]int, len(e.subtasks))
	for i, s := range e.subtasks {
		m.attempt.subtasks[s] = i
	}
	m.sound, m.sweepAt = true, now
	m.do(startDone{})
}

// ask requests a checkpoint as soon as one may start.
func (m *machine) ask() {
	if err := m.refusal(); err != nil {
		m.do(unasked{err})
		return
	}
	m.wanted = true
}

// detach ends an attempt. A checkpoint whose swap was sent cannot be aborted
// any more, and is resolved without it.
func (m *machine) detach(now time.Time) {
	if m.phase != leads {
		m.attempt = attempt{}
		return
	}
	for _, p := range slices.Clone(m.pending) {
		if !m.commit.sent(p.ID) {
			m.abort(now, p.ID, byDetach, errDetached)
		}
	}
	m.endAttempt(errDetached)
}

// endAttempt answers all callers that wait for the attempt, and forgets it.
func (m *machine) endAttempt(err error) {
	if m.attempt.stage == waiting || m.attempt.stage == restoring {
		m.do(attachDone{err: err})
	}
	m.attempt = attempt{}
	m.answerLast(err)
	if m.wanted {
		m.do(unasked{err})
	}
	m.last, m.wanted = last{}, false
}
