package engine

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Metrics counts what a running job does. The zero Metrics is ready to use. Any
// goroutine may read it while the job runs.
type Metrics struct {
	mu        sync.Mutex
	attempts  int
	operators map[checkpoint.OperatorID]*counters
}

// MetricsSnapshot is a copy of Metrics. Its counters are not read in one instant.
type MetricsSnapshot struct {
	// SourceRecords is how many records all sources have read, and Malformed how
	// many they skipped. Records before the restored checkpoint count; records that
	// a restart rolled back do not.
	SourceRecords int64
	Malformed     int64
	// SinkRecords is how many records all sinks have written, counted likewise.
	SinkRecords int64
	// Attempts is how often the job was started in this Run.
	Attempts  int
	Operators map[checkpoint.OperatorID]OperatorMetrics
}

// OperatorMetrics counts over all subtasks of one operator since the attempt
// began; times are sums.
type OperatorMetrics struct {
	In, Out   int64 // records
	Malformed int64
	// Blocked is how long the operator's chain waited for room in the queues to its
	// consumers.
	Blocked time.Duration
	// Snapshots counts the snapshots of subtasks. Align is the time in all that they
	// waited for barriers, Sync the time that records stood still for them; MaxAlign
	// and MaxSync are the longest of one. All are counted for the first operator of a
	// chain.
	Snapshots         int64
	Align, Sync       time.Duration
	MaxAlign, MaxSync time.Duration
	// Declined counts snapshots that failed.
	Declined int64
}

// counters are the metrics of one operator in one attempt.
type counters struct {
	kind                                string // kindSource or kindSink: restored counts
	in, out, malformed                  atomic.Int64
	blocked                             atomic.Int64
	snapshots, declined                 atomic.Int64
	align, sync, alignLongest, syncLong atomic.Int64
	restored, restoredMalformed         int64 // counted before the checkpoint that the attempt started from
}

func raise(a *atomic.Int64, v int64) {
	for old := a.Load(); v > old && !a.CompareAndSwap(old, v); old = a.Load() {
	}
}

// begin starts counting anew for an attempt.
func (m *Metrics) begin(attempt int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts = attempt
	m.operators = map[checkpoint.OperatorID]*counters{}
}

// operator returns an operator's counters in an attempt. If the attempt is over, it
// returns counters that nobody reads.
func (m *Metrics) operator(attempt int, id checkpoint.OperatorID) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if attempt != m.attempts {
		return &counters{}
	}
	c := m.operators[id]
	if c == nil {
		c = &counters{}
		m.operators[id] = c
	}
	return c
}

// restored sets what a source had read, or a sink written, before the attempt.
func (m *Metrics) restored(attempt int, id checkpoint.OperatorID, kind string, records, malformed int64) {
	c := m.operator(attempt, id)
	m.mu.Lock()
	defer m.mu.Unlock()
	c.kind, c.restored, c.restoredMalformed = kind, records, malformed
}

// Snapshot returns the counters as they are now.
func (m *Metrics) Snapshot() MetricsSnapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := MetricsSnapshot{Attempts: m.attempts, Operators: map[checkpoint.OperatorID]OperatorMetrics{}}
	for id, c := range maps.All(m.operators) {
		o := OperatorMetrics{
			In: c.in.Load(), Out: c.out.Load(), Malformed: c.malformed.Load(),
			Blocked:   time.Duration(c.blocked.Load()),
			Snapshots: c.snapshots.Load(), Declined: c.declined.Load(),
			Align: time.Duration(c.align.Load()), MaxAlign: time.Duration(c.alignLongest.Load()),
			Sync: time.Duration(c.sync.Load()), MaxSync: time.Duration(c.syncLong.Load()),
		}
		s.Operators[id] = o
		switch c.kind {
		case kindSource:
			s.SourceRecords += c.restored + o.Out
			s.Malformed += c.restoredMalformed + o.Malformed
		case kindSink:
			s.SinkRecords += c.restored + o.In
		}
	}
	return s
}
