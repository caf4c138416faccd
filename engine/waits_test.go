package engine

import (
	"testing"
	"time"
)

// What is counted of a subtask's time never falls, even when it is read while a wait ends.
func TestTimesNeverFall(t *testing.T) {
	var w waits
	start := time.Now()
	w.began.Store(start.UnixNano())
	w.idle.since.Store(start.Add(time.Second).UnixNano())
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	busy, idle, _ := w.times(at(4))
	if busy != time.Second || idle != 3*time.Second {
		t.Fatalf("busy %v, idle %v", busy, idle)
	}
	w.idle.since.Store(0) // the wait ends, and is not added yet
	halfBusy, halfIdle, _ := w.times(at(6))
	if halfBusy < busy || halfIdle < idle {
		t.Errorf("meanwhile: busy %v after %v, idle %v after %v", halfBusy, busy, halfIdle, idle)
	}
	w.idle.sum.Store(int64(5 * time.Second))
	if busy, idle, _ := w.times(at(6)); busy < halfBusy || idle != 5*time.Second {
		t.Errorf("then: busy %v after %v, idle %v", busy, halfBusy, idle)
	}
}
