package coordinator

import "time"

const (
	// sweepEvery is the time between sweeps of a leader: one listing of the
	// job's objects each.
	sweepEvery = time.Hour
	// sweepAfterAbort brings the next sweep forward after an abort. Uploads of
	// the aborted checkpoint that were not reported have ended by then.
	sweepAfterAbort = 10 * time.Minute
)

// sweep decides to look for orphans now. A leader sweeps when an attempt
// starts, every hour, some minutes after an abort, and last when it closes.
func (m *machine) sweep(now time.Time) {
	dead := scope{epoch: m.head.Epoch, next: m.next}
	if m.rules.on(sparesPending) {
		for _, p := range m.pending {
			dead.spared = append(dead.spared, p.Ref)
		}
	}
	m.sweepAt = now.Add(sweepEvery)
	m.do(sweep{m.head.refs(), dead})
}

// sweepBy lets the next sweep be no later than at.
func (m *machine) sweepBy(at time.Time) {
	if at.Before(m.sweepAt) {
		m.sweepAt = at
	}
}
