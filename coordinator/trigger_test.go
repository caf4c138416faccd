package coordinator

import (
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
)

// Where the reasons for a checkpoint meet: the table of PROTOCOL.md.
func TestTriggers(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000, 0).Add(time.Duration(s) * time.Second) }
	every10 := pace{interval: 10 * time.Second, maxConcurrent: 1}
	paused := pace{interval: 10 * time.Second, minPause: 8 * time.Second, records: 100, maxConcurrent: 2}
	wanted := last{stage: lastWanted, after: at(3), stop: true}
	for name, c := range map[string]struct {
		pace   pace
		demand demand
		allows bool
		at     time.Time // where due
		why    history.Trigger
	}{
		"nothing is asked for":          {pace{maxConcurrent: 1}, demand{started: at(0)}, true, time.Time{}, ""},
		"the first":                     {every10, demand{started: at(0)}, true, at(10), history.ByInterval},
		"an interval after the last":    {every10, demand{started: at(0), triggered: at(10), ended: at(11)}, true, at(20), history.ByInterval},
		"of an attempt before":          {every10, demand{started: at(50), triggered: at(10), ended: at(11)}, true, at(60), history.ByInterval},
		"the pause is longer":           {paused, demand{started: at(0), triggered: at(10), ended: at(15)}, true, at(23), history.ByInterval},
		"the interval is longer":        {paused, demand{started: at(0), triggered: at(10), ended: at(11)}, true, at(20), history.ByInterval},
		"records":                       {paused, demand{started: at(0), records: 100}, true, time.Time{}, history.ByRecords},
		"records in the pause":          {paused, demand{started: at(0), triggered: at(10), ended: at(11), records: 100}, true, at(19), history.ByRecords},
		"too few records":               {paused, demand{started: at(0), triggered: at(10), ended: at(11), records: 99}, true, at(20), history.ByInterval},
		"records alone":                 {pace{records: 1, maxConcurrent: 1}, demand{records: 5}, true, time.Time{}, history.ByRecords},
		"a request, whatever the pause": {paused, demand{requested: true, started: at(0), triggered: at(10), ended: at(11)}, true, time.Time{}, history.ByRequest},
		"a request before records":      {paused, demand{requested: true, records: 100}, true, time.Time{}, history.ByRequest},
		"a second one is allowed":       {paused, demand{pending: 1, started: at(0), triggered: at(10)}, true, at(20), history.ByInterval},
		"too many are pending":          {paused, demand{pending: 2, requested: true}, false, time.Time{}, history.ByRequest},
		"a stop before anything":        {paused, demand{last: wanted, requested: true, records: 100}, true, at(3), history.ByStop},
		"a stop is taken alone":         {paused, demand{last: wanted, pending: 1}, false, at(3), history.ByStop},
		"the end before a stop":         {paused, demand{last: last{stage: lastWanted, ended: true, stop: true}}, true, time.Time{}, history.ByEnd},
		"all input was read":            {paused, demand{last: last{stage: lastComing, drained: true}, requested: true}, false, time.Time{}, history.ByRequest},
		"the last is pending":           {paused, demand{last: last{stage: lastPending}, pending: 1, requested: true}, false, time.Time{}, history.ByRequest},
		"the last is done":              {paused, demand{last: last{stage: lastDone}, requested: true}, false, time.Time{}, history.ByRequest},
	} {
		when, why, ok := c.pace.due(c.demand)
		if allows := c.pace.allows(c.demand); allows != c.allows || why != c.why || ok != (c.why != "") || !when.Equal(c.at) {
			t.Errorf("%s: allowed %v, due %v by %q, %v; want %v, %v by %q", name, allows, when, why, ok, c.allows, c.at, c.why)
		}
	}
}

// Records count from one trigger to the next, and only while an attempt runs.
func TestTriggerByRecords(t *testing.T) {
	d := direct(t, func(s *settings) { s.interval, s.records = 0, 100 })
	d.leadAndStart()
	d.tell(0, progressed{60})
	d.tell(0, progressed{60})
	p, ok := d.m.find(1)
	if !ok || p.trigger != history.ByRecords {
		t.Fatalf("120 records of 100, and pending is %+v", d.m.pending)
	}
	d.tell(0, progressed{99}) // while it is pending
	d.commit(p.Ref, "e2")
	if _, ok := d.m.find(2); ok {
		t.Error("99 records were enough")
	}
	d.tell(0, progressed{1})
	if _, ok := d.m.find(2); !ok {
		t.Error("100 records were not enough")
	}
}

// I11: a checkpoint that is too slow gets twice the time at each try, to a bound, and says so.
func TestPatienceIsBounded(t *testing.T) {
	d := direct(t, func(s *settings) { s.tolerable = -1 })
	d.leadAndStart()
	var longest time.Duration
	for range 20 {
		d.tell(10*time.Second, ticked{})
		if len(d.m.pending) != 1 {
			t.Fatalf("pending: %+v", d.m.pending)
		}
		p := d.m.pending[0]
		longest = max(longest, p.deadline.Sub(p.triggered))
		d.tell(p.deadline.Sub(d.now), ticked{})
	}
	if longest != maxPatience {
		t.Errorf("the longest may take %v, want %v", longest, maxPatience)
	}
}
