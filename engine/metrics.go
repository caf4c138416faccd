package engine

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Metrics counts what a running job does. The zero Metrics is ready to use; it
// may be read by any goroutine while the job runs.
type Metrics struct {
	mu        sync.Mutex
	attempts  int
	operators map[checkpoint.OperatorID]*counters
}

// MetricsSnapshot is what Metrics held at one moment, operator by operator;
// the counters are not read in one instant.
type MetricsSnapshot struct {
	// SourceRecords is what all sources have read, and Malformed what they
	// skipped; records before the restored checkpoint count, those that a
	// restart rolled back do not.
	SourceRecords int64
	Malformed     int64
	// SinkRecords is what all sinks have written, counted likewise.
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
	// Blocked is the time that the operator's vertex waited for room in the
	// queues to those behind it.
	Blocked time.Duration
	// Snapshots counts subtasks' snapshots; Align and Sync are the time they
	// took in all, and MaxAlign, MaxSync that of the slowest. They are counted
	// with the first operator of a vertex.
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

// operator returns an operator's counters, made when first asked for. What a
// host counts for an attempt that is over, nobody sees.
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
