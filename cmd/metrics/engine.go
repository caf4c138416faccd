package metrics

import (
	"strconv"
	"time"
)

// engine sends how records move.
func (c *collector) engine(s sender, now time.Time) {
	m := c.job.Engine.Snapshot()
	s.gauge("tidemark_start_time_seconds", "when the run began, since 1970", seconds(c.job.Started))
	s.counter("tidemark_attempts_total", "times that the job was started in this process", float64(m.Attempts))
	running := 0.0
	if m.Attempts > 0 && m.Failed.IsZero() {
		running = 1
		s.gauge("tidemark_attempt_age_seconds", "how long the attempt has run", now.Sub(m.Began).Seconds())
	}
	s.gauge("tidemark_running", "1: an attempt runs; 0: the job begins, or waits for a restart", running)
	// These fall when a restart rolls records back, which a counter must not.
	s.gauge("tidemark_source_records", "records that the sources have read since the job began", float64(m.SourceRecords))
	s.gauge("tidemark_source_malformed_records", "records that the sources skipped since the job began", float64(m.Malformed))
	s.gauge("tidemark_sink_records", "records that the sinks have taken since the job began", float64(m.SinkRecords))
	for _, o := range c.job.Graph.Operators {
		of := m.Operators[o.ID]
		for i, sub := range of.Subtasks {
			labels := []string{"operator", string(o.ID), "subtask", strconv.Itoa(i)}
			s.counter("tidemark_records_in_total", "records that came to an operator since the attempt began", float64(sub.In), labels...)
			s.counter("tidemark_records_out_total", "records that left an operator since the attempt began", float64(sub.Out), labels...)
		}
	}
	for id, sub := range m.Subtasks {
		labels := []string{"vertex", string(id.Vertex), "subtask", strconv.Itoa(id.Index)}
		const help = "how long a subtask has been at it since the attempt began to run: busy, idle for want of records, or blocked by full queues"
		for state, d := range map[string]time.Duration{"busy": sub.Busy, "idle": sub.Idle, "blocked": sub.Blocked} {
			s.counter("tidemark_subtask_seconds_total", help, d.Seconds(), append(labels, "state", state)...)
		}
	}
}

// seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
