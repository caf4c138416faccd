package coordinator

import (
	"slices"
	"time"
)

const (
	alarmEvery      = 10 * time.Minute // how often an alarm that goes on is repeated
	doubtToAlarm    = time.Minute      // how long a commit may be in doubt without one
	pauseToAlarm    = time.Minute      // how long deletion may be paused without one
	failuresToAlarm = 3                // how many checkpoints in a row fail for one
)

// raise raises an alarm unless it is cleared before the delay has passed.
func (m *machine) raise(now time.Time, delay time.Duration, code AlarmCode, text string) {
	m.alarms = slices.Clone(m.alarms) // a copy of the old ones is in Status
	if i := m.alarmed(code); i >= 0 {
		m.alarms[i].Text = text
		return
	}
	m.alarms = append(m.alarms, alarm{Alarm: Alarm{Code: code, Text: text, Since: now}, due: now.Add(delay)})
}

// clear ends an alarm.
func (m *machine) clear(code AlarmCode) {
	i := m.alarmed(code)
	if i < 0 {
		return
	}
	a := m.alarms[i]
	m.alarms = slices.Delete(slices.Clone(m.alarms), i, i+1)
	if a.told {
		a.Cleared = true
		m.do(alarmed{a.Alarm})
	}
}

func (m *machine) alarmed(code AlarmCode) int {
	return slices.IndexFunc(m.alarms, func(a alarm) bool { return a.Code == code })
}

// ring reports alarms that are due, and repeats them.
func (m *machine) ring(now time.Time) {
	for i, a := range m.alarms {
		if !now.Before(a.due) {
			m.alarms[i].told, m.alarms[i].due = true, now.Add(alarmEvery)
			m.do(alarmed{a.Alarm})
		}
	}
}

// onDeletion raises and clears the alarms of the cleaner.
func (m *machine) onDeletion(now time.Time, e deletion) {
	if e.err == nil || e.halted {
		m.clear(DeletionPaused)
	}
	switch {
	case e.halted:
		m.raise(now, 0, DeletionHalted, "nothing is deleted until the job is started again: "+e.err.Error())
	case e.err != nil:
		m.raise(now, pauseToAlarm, DeletionPaused, "deletion is paused and will be tried again: "+e.err.Error())
	}
}
