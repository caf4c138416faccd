package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Stats sum up some values.
type Stats struct {
	Min  int64   `json:"min"`
	Max  int64   `json:"max"`
	Avg  int64   `json:"avg"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

// stats uses the nearest rank. All is zero where there are no values.
func stats(values []float64) (s Stats) {
	n := len(values)
	if n == 0 {
		return s
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	at := func(permille int) float64 { return values[max(0, (permille*n+999)/1000-1)] }
	return Stats{int64(values[0]), int64(values[n-1]), int64(sum / float64(n)), at(500), at(900), at(950), at(990), at(999)}
}

// VertexCheckpoint is a vertex's part in a checkpoint, with its subtasks.
type VertexCheckpoint struct {
	VertexProgress
	Summary  VertexSummary       `json:"summary"`
	Subtasks []SubtaskCheckpoint `json:"subtasks" doc:"by index"`
}

// VertexSummary sums up the subtasks that acknowledged. Times are milliseconds.
type VertexSummary struct {
	NewBytes   Stats          `json:"checkpointed_size"`
	FullBytes  Stats          `json:"state_size"`
	Duration   Stats          `json:"end_to_end_duration"`
	Checkpoint DurationStats  `json:"checkpoint_duration"`
	Alignment  AlignmentStats `json:"alignment"`
	StartDelay Stats          `json:"start_delay"`
}

// DurationStats sum up the two parts of a snapshot.
type DurationStats struct {
	Sync  Stats `json:"sync"`
	Async Stats `json:"async"`
}

// AlignmentStats sum up alignments.
type AlignmentStats struct {
	Buffered  Stats `json:"buffered" doc:"0: alignment buffers nothing"`
	Processed Stats `json:"processed" doc:"0: not measured"`
	Persisted Stats `json:"persisted" doc:"0: no checkpoint holds records in flight"`
	Duration  Stats `json:"duration"`
}

// SubtaskCheckpoint is a subtask's part in a checkpoint. Times are milliseconds. Of one
// that has not acknowledged there are class, index and status only.
type SubtaskCheckpoint struct {
	Class      string            `json:"className" doc:"completed or pending"`
	Index      int               `json:"index"`
	Status     string            `json:"status" doc:"completed or pending_or_failed"`
	Acked      int64             `json:"ack_timestamp,omitempty" doc:"since 1970"`
	Duration   *int64            `json:"end_to_end_duration,omitempty" doc:"from the trigger to the acknowledgement"`
	NewBytes   *int64            `json:"checkpointed_size,omitempty"`
	FullBytes  *int64            `json:"state_size,omitempty"`
	Checkpoint *SnapshotDuration `json:"checkpoint,omitempty"`
	Alignment  *Alignment        `json:"alignment,omitempty"`
	StartDelay *int64            `json:"start_delay,omitempty" doc:"from the trigger to the first barrier"`
	Unaligned  *bool             `json:"unaligned_checkpoint,omitempty"`
	Aborted    *bool             `json:"aborted,omitempty"`
}

// SnapshotDuration is how long a subtask's snapshot took.
type SnapshotDuration struct {
	Sync  int64 `json:"sync" doc:"records stood still"`
	Async int64 `json:"async" doc:"beside the records"`
}

// Alignment is how a subtask aligned its inputs.
type Alignment struct {
	Buffered  int64 `json:"buffered" doc:"0: alignment buffers nothing"`
	Processed int64 `json:"processed" doc:"0: not measured"`
	Persisted int64 `json:"persisted" doc:"0: no checkpoint holds records in flight"`
	Duration  int64 `json:"duration" doc:"from the first barrier to the last"`
}

func (s *Server) vertexCheckpoint(r *http.Request) (any, error) {
	o, err := s.find(r)
	if err != nil {
		return nil, err
	}
	id := checkpoint.OperatorID(r.PathValue("vertex"))
	for _, chain := range vertices(s.graphOf(o)) {
		if chain[0].ID == id {
			return o.subtasks(chain[0]), nil
		}
	}
	return nil, failed(http.StatusNotFound, "the job has no vertex %s", id)
}

// subtasks describes a vertex's part in the checkpoint.
func (o observed) subtasks(of checkpoint.GraphOperator) VertexCheckpoint {
	v := VertexCheckpoint{VertexProgress: o.vertex(of), Subtasks: make([]SubtaskCheckpoint, of.Parallelism)}
	for i := range v.Subtasks {
		v.Subtasks[i] = SubtaskCheckpoint{Class: "pending", Index: i, Status: "pending_or_failed"}
	}
	var fresh, full, took, sync, async, align, start []float64
	for _, p := range o.Parts {
		if p.Vertex != of.ID || p.Index >= len(v.Subtasks) {
			continue
		}
		sub := o.subtask(p)
		v.Subtasks[p.Index] = sub
		fresh, full, took = append(fresh, float64(p.NewBytes)), append(full, float64(p.FullBytes)), append(took, float64(*sub.Duration))
		sync, async = append(sync, ms(p.Sync)), append(async, ms(p.Async))
		align, start = append(align, ms(p.Align)), append(start, ms(p.Start))
	}
	v.Summary = VertexSummary{
		NewBytes: stats(fresh), FullBytes: stats(full), Duration: stats(took), Checkpoint: DurationStats{stats(sync), stats(async)},
		Alignment: AlignmentStats{Duration: stats(align)}, StartDelay: stats(start),
	}
	return v
}

func (o observed) subtask(p history.Part) SubtaskCheckpoint {
	return SubtaskCheckpoint{
		Class: "completed", Index: p.Index, Status: "completed", Acked: milliseconds(p.Acked), Duration: new(max(0, p.Acked.Sub(o.Triggered).Milliseconds())),
		NewBytes: &p.NewBytes, FullBytes: &p.FullBytes, Checkpoint: &SnapshotDuration{p.Sync.Milliseconds(), p.Async.Milliseconds()},
		Alignment: &Alignment{Duration: p.Align.Milliseconds()}, StartDelay: new(p.Start.Milliseconds()), Unaligned: new(false), Aborted: new(false),
	}
}

func ms(d time.Duration) float64 { return float64(d.Milliseconds()) }
