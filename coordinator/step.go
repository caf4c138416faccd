package coordinator

import "time"

// step tells the machine what happened at a time, and returns what to do.
func (m *machine) step(now time.Time, e event) []action {
	m.out = nil
	switch e := e.(type) {
	case opened:
		m.open()
	case headRead:
		m.onHead(now, e)
	case probed:
		m.onProbed(e)
	case swapped:
		m.onSwapped(now, e)
	case manifestWritten:
		m.onManifest(now, e)
	case manifestRead:
		m.onManifestRead(e)
	case attached:
		m.attach(e)
	case started:
		m.start(now, e)
	case acked:
		m.ack(now, e.Ack)
	case declined:
		m.decline(now, e.Decline)
	case asked:
		m.ask()
	case draining:
		m.drain()
	case stopping:
		m.stopJob(e)
	case progressed:
		if m.attempt.stage == running {
			m.records += e.records
		}
	case finishing:
		m.finish()
	case detached:
		m.detach(now)
	case closing:
		m.close(now)
	case collected:
		for _, r := range e.refs {
			m.do(moved{r.ID, Discarded})
		}
	case deletion:
		m.onDeletion(now, e)
	}
	if m.phase == leads {
		m.expire(now)
		m.proceed(now)
	}
	m.closeUp(now)
	m.ring(now)
	out := m.out
	m.out = nil
	return out
}

// proceed starts what nothing stands in the way of any more.
func (m *machine) proceed(now time.Time) {
	m.startCommit(now)
	if m.attempt.stage == waiting && m.commit.stage == noCommit {
		m.chooseRestore()
	}
	for m.mayTrigger(now) {
		m.trigger(now)
	}
	if m.sound && !now.Before(m.sweepAt) {
		m.sweep(now)
	}
}

// wake returns when the machine must be stepped at the latest, zero for never.
func (m *machine) wake() time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if m.phase != leads {
		return at
	}
	for _, p := range m.pending {
		sooner(p.deadline)
	}
	if m.commit.stage == resting {
		sooner(m.commit.again)
	}
	if t, ok := m.nextTrigger(); ok {
		sooner(t)
	}
	if m.sound {
		sooner(m.sweepAt)
	}
	for _, a := range m.alarms {
		sooner(a.due)
	}
	return at
}
