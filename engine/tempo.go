package engine

import (
	"math"
	"time"
)

// barrierWait is about how long a barrier may wait for the records before it: those in
// the queues of one gate, those of one step of a source, and those in one buffer of a
// chain each. Where an operator is slow, fewer records travel at once.
const barrierWait = 500 * time.Millisecond

// tempo is how long records take, and how much memory, as measured over the last seconds
// of work. It is pure: time comes in.
type tempo struct {
	records, busy float64 // so many records took so many nanoseconds
	bytes         float64 // and so much memory
	rest          int     // batches that need not be measured
}

// tempoWindow is the work over which a measurement loses most of its weight.
const tempoWindow = 2 * time.Second

// due reports whether the next batch has to be measured. Where all that may travel takes
// far less than it may, one batch of four is: a look at the clock takes as long as some
// records do.
func (t *tempo) due() bool {
	if t.rest > 0 {
		t.rest--
		return false
	}
	return true
}

// note takes a measurement, of records with so many bytes each. The longer it is, the
// less counts what was before.
func (t *tempo) note(records int, bytes float64, took time.Duration) {
	keep := math.Exp(-float64(took) / float64(tempoWindow))
	t.records = t.records*keep + float64(records)
	t.bytes = t.bytes*keep + float64(records)*bytes
	t.busy = t.busy*keep + float64(took)
}

// within returns how many records take the time d, and as much memory as most of
// RecordBytes each; from 1 to most. It is at most twice the number that was measured: a
// few records say little about many.
func (t *tempo) within(d time.Duration, most int) int {
	fit, small := float64(d)*t.records/max(1, t.busy), RecordBytes*t.records/max(1, t.bytes)
	most = max(1, int(float64(most)*min(1, small)))
	n := max(1, int(min(fit, 2*t.records, float64(most))))
	if n == most && fit > 16*float64(most) {
		t.rest = 3
	}
	return n
}
