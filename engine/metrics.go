package engine

import (
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
	began     time.Time // the attempt
	failed    time.Time // the attempt, which is over; zero: it is not
	operators map[checkpoint.OperatorID]*operatorCounters
	subtasks  map[checkpoint.SubtaskID]*waits
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
	// Attempts is how often the job was started in this Run, and Began when it was
	// last. Failed is when that attempt failed, while the next is not started yet; zero:
	// it did not.
	Attempts      int
	Began, Failed time.Time
	Operators     map[checkpoint.OperatorID]OperatorMetrics
	Subtasks      map[checkpoint.SubtaskID]SubtaskMetrics // of vertices
}

// SubtaskMetrics splits the time of a subtask since the attempt began to run: it
// worked, waited for records, or waited for room in the queues to its consumers.
type SubtaskMetrics struct {
	Busy, Idle, Blocked time.Duration
}

// OperatorMetrics counts over all subtasks of one operator since the attempt
// began.
type OperatorMetrics struct {
	In, Out   int64 // records
	Subtasks  []SubtaskRecords
	Malformed int64
}

// SubtaskRecords counts the records of an operator's subtask.
type SubtaskRecords struct{ In, Out int64 }

// operatorCounters are the metrics of one operator in one attempt.
type operatorCounters struct {
	kind                        string      // kindSource or kindSink: restored counts
	restored, restoredMalformed int64       // counted before the checkpoint that the attempt started from
	subtasks                    []*counters // by index; nil: on another host
}

// counters are the metrics of one operator's subtask in one attempt.
type counters struct{ in, out, malformed atomic.Int64 }

// begin starts counting anew for an attempt.
func (m *Metrics) begin(attempt int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts, m.began, m.failed = attempt, time.Now(), time.Time{}
	m.operators, m.subtasks = map[checkpoint.OperatorID]*operatorCounters{}, map[checkpoint.SubtaskID]*waits{}
}

// restarting notes that the attempt has failed, and that another follows.
func (m *Metrics) restarting() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = time.Now()
}

// operator returns the counters of an operator's subtask in an attempt. If the attempt is
// over, it returns counters that nobody reads.
func (m *Metrics) operator(attempt int, id checkpoint.OperatorID, index int) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if attempt != m.attempts {
		return &counters{}
	}
	o := m.of(id)
	for len(o.subtasks) <= index {
		o.subtasks = append(o.subtasks, nil)
	}
	if o.subtasks[index] == nil {
		o.subtasks[index] = &counters{}
	}
	return o.subtasks[index]
}

func (m *Metrics) of(id checkpoint.OperatorID) *operatorCounters {
	o := m.operators[id]
	if o == nil {
		o = &operatorCounters{}
		m.operators[id] = o
	}
	return o
}

// subtask returns where a subtask notes its waits, likewise.
func (m *Metrics) subtask(attempt int, id checkpoint.SubtaskID) *waits {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &waits{}
	if attempt == m.attempts {
		m.subtasks[id] = w
	}
	return w
}

// restored sets what a source had read, or a sink written, before the attempt.
func (m *Metrics) restored(attempt int, id checkpoint.OperatorID, kind string, records, malformed int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if attempt == m.attempts {
		o := m.of(id)
		o.kind, o.restored, o.restoredMalformed = kind, records, malformed
	}
}

// Snapshot returns the counters as they are now.
func (m *Metrics) Snapshot() MetricsSnapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := MetricsSnapshot{
		Attempts: m.attempts, Began: m.began, Failed: m.failed,
		Operators: map[checkpoint.OperatorID]OperatorMetrics{}, Subtasks: map[checkpoint.SubtaskID]SubtaskMetrics{},
	}
	for id, c := range m.operators {
		o := c.sum()
		s.Operators[id] = o
		switch c.kind {
		case kindSource:
			s.SourceRecords += c.restored + o.Out
			s.Malformed += c.restoredMalformed + o.Malformed
		case kindSink:
			s.SinkRecords += c.restored + o.In
		}
	}
	now := m.failed // nobody works until the next attempt
	if now.IsZero() {
		now = time.Now()
	}
	for id, w := range m.subtasks {
		busy, idle, blocked := w.times(now)
		s.Subtasks[id] = SubtaskMetrics{busy, idle, blocked}
	}
	return s
}

// sum adds up the subtasks of an operator.
func (c *operatorCounters) sum() (o OperatorMetrics) {
	o.Subtasks = make([]SubtaskRecords, len(c.subtasks))
	for i, c := range c.subtasks {
		if c == nil {
			continue
		}
		of := SubtaskRecords{In: c.in.Load(), Out: c.out.Load()}
		o.Subtasks[i] = of
		o.In += of.In
		o.Out += of.Out
		o.Malformed += c.malformed.Load()
	}
	return o
}
