package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// CheckpointConfig says how checkpoints are taken. Times are milliseconds.
type CheckpointConfig struct {
	Mode            string          `json:"mode" doc:"exactly_once or at_least_once"`
	IntervalMS      int64           `json:"interval"`
	TimeoutMS       int64           `json:"timeout"`
	MinPauseMS      int64           `json:"min_pause"`
	MaxConcurrent   int             `json:"max_concurrent"`
	Externalization Externalization `json:"externalization"`
	StateBackend    string          `json:"state_backend"`
	Storage         string          `json:"checkpoint_storage"`
	Unaligned       bool            `json:"unaligned_checkpoints"`
	Tolerable       int             `json:"tolerable_failed_checkpoints" doc:"-1: any number"`
	AlignedTimeout  int64           `json:"aligned_checkpoint_timeout" doc:"0: an aligned checkpoint never turns unaligned"`
	AfterFinish     bool            `json:"checkpoints_after_tasks_finish"`
}

// Externalization says whether checkpoints outlive the job.
type Externalization struct {
	Enabled bool `json:"enabled"`
	Delete  bool `json:"delete_on_cancellation"`
}

// CheckpointStatistics counts and lists checkpoints.
type CheckpointStatistics struct {
	Counts  CheckpointCounts  `json:"counts"`
	Summary CheckpointSummary `json:"summary" doc:"over the completed checkpoints of history"`
	Latest  LatestCheckpoints `json:"latest"`
	History []Checkpoint      `json:"history" doc:"newest first; those under way come before all others"`
}

// CheckpointCounts count checkpoints since the job began.
type CheckpointCounts struct {
	Restored   int64 `json:"restored" doc:"1: the running attempt was started from a checkpoint"`
	Total      int64 `json:"total"`
	InProgress int64 `json:"in_progress"`
	Completed  int64 `json:"completed"`
	Failed     int64 `json:"failed"`
}

// CheckpointSummary sums up completed checkpoints. Times are milliseconds.
type CheckpointSummary struct {
	NewBytes  Stats `json:"checkpointed_size"`
	FullBytes Stats `json:"state_size"`
	Duration  Stats `json:"end_to_end_duration"`
	Buffered  Stats `json:"alignment_buffered" doc:"0: alignment buffers nothing"`
	Processed Stats `json:"processed_data" doc:"0: not measured"`
	Persisted Stats `json:"persisted_data" doc:"0: no checkpoint holds records in flight"`
}

// LatestCheckpoints are the newest of each kind.
type LatestCheckpoints struct {
	Completed *Checkpoint         `json:"completed"`
	Savepoint *Checkpoint         `json:"savepoint" doc:"null: there are no savepoints yet"`
	Failed    *Checkpoint         `json:"failed"`
	Restored  *RestoredCheckpoint `json:"restored"`
}

// RestoredCheckpoint is what the running attempt was started from.
type RestoredCheckpoint struct {
	ID          uint64 `json:"id"`
	RestoredMS  int64  `json:"restore_timestamp" doc:"milliseconds since 1970"`
	IsSavepoint bool   `json:"is_savepoint"`
	Path        string `json:"external_path"`
}

// Checkpoint describes a checkpoint. Times are milliseconds, or milliseconds since 1970.
type Checkpoint struct {
	Class           string                    `json:"className" doc:"completed, failed or in_progress"`
	ID              uint64                    `json:"id"`
	Status          string                    `json:"status" doc:"COMPLETED, FAILED or IN_PROGRESS"`
	IsSavepoint     bool                      `json:"is_savepoint"`
	SavepointFormat *string                   `json:"savepointFormat"`
	Triggered       int64                     `json:"trigger_timestamp"`
	LatestAck       int64                     `json:"latest_ack_timestamp" doc:"-1: none"`
	NewBytes        int64                     `json:"checkpointed_size" doc:"bytes that it uploaded"`
	FullBytes       int64                     `json:"state_size" doc:"bytes of all keyed state"`
	Duration        int64                     `json:"end_to_end_duration" doc:"from the trigger to the commit, to the abort, or to now"`
	Buffered        int64                     `json:"alignment_buffered" doc:"0: alignment buffers nothing"`
	Processed       int64                     `json:"processed_data" doc:"0: not measured"`
	Persisted       int64                     `json:"persisted_data" doc:"0: no checkpoint holds records in flight"`
	Subtasks        int                       `json:"num_subtasks"`
	Acked           int                       `json:"num_acknowledged_subtasks"`
	Type            string                    `json:"checkpoint_type"`
	Vertices        map[string]VertexProgress `json:"tasks" doc:"by vertex; in a list: empty"`
	Path            string                    `json:"external_path,omitempty" doc:"the manifest; of completed ones"`
	Discarded       *bool                     `json:"discarded,omitempty" doc:"it is no longer retained; of completed ones"`
	FailedAt        int64                     `json:"failure_timestamp,omitempty" doc:"of failed ones"`
	FailureMessage  string                    `json:"failure_message,omitempty" doc:"of failed ones"`
	Tidemark        CheckpointExtra           `json:"tidemark"`
}

// CheckpointExtra is what Flink does not tell of a checkpoint.
type CheckpointExtra struct {
	Epoch       uint64   `json:"epoch" doc:"of the leader that took it"`
	Base        uint64   `json:"base" doc:"whose objects it may share; 0: none"`
	Kind        string   `json:"kind" doc:"periodic, manual, savepoint or final"`
	Trigger     string   `json:"trigger" doc:"what it was taken for: interval, bytes, asked, …"`
	Phase       string   `json:"phase" doc:"where it is: aligning, persisting, committing, …"`
	Cause       string   `json:"cause" doc:"why it failed, in a word; empty: it did not"`
	Files       int      `json:"files"`
	SharedFiles int      `json:"shared_files" doc:"files that earlier checkpoints uploaded"`
	NewObjects  int      `json:"new_objects"`
	KeptBy      []string `json:"kept_by" doc:"why it is retained; empty: it is not"`
	InDoubt     int64    `json:"commit_in_doubt_since" doc:"milliseconds since 1970; 0: it is not in doubt"`
}

// VertexProgress is a vertex's part in a checkpoint.
type VertexProgress struct {
	ID        uint64 `json:"id"`
	Status    string `json:"status"`
	LatestAck int64  `json:"latest_ack_timestamp" doc:"-1: none"`
	NewBytes  int64  `json:"checkpointed_size"`
	FullBytes int64  `json:"state_size"`
	Duration  int64  `json:"end_to_end_duration" doc:"from the trigger to the latest acknowledgement; -1: none"`
	Buffered  int64  `json:"alignment_buffered" doc:"0: alignment buffers nothing"`
	Processed int64  `json:"processed_data" doc:"0: not measured"`
	Persisted int64  `json:"persisted_data" doc:"0: no checkpoint holds records in flight"`
	Subtasks  int    `json:"num_subtasks"`
	Acked     int    `json:"num_acknowledged_subtasks"`
}

// Statuses of a checkpoint, by Flink's names.
const (
	inProgress = "IN_PROGRESS"
	completed  = "COMPLETED"
	aborted    = "FAILED"
)

// observed is a checkpoint and all that is known of it.
type observed struct {
	history.Checkpoint                   // of a pending one, as far as it has come
	status             string            // Flink's
	phase              coordinator.State // zero: it ended
	keptBy             []string          // nil: it is not retained
	doubt              time.Time         // zero: its commit is not in doubt
	graph              *checkpoint.Graph // nil: as the job runs now
}

// observe lists all checkpoints that are known, newest first.
func observe(st coordinator.Status, h history.History, now time.Time) (all []observed) {
	kept := map[checkpoint.Ref][]string{}
	for _, r := range st.Retained {
		kept[r.Ref()] = r.KeptBy
	}
	for _, p := range slices.Backward(st.Pending) {
		c := history.Checkpoint{
			ID: p.ID, Epoch: st.Epoch, Kind: p.Kind, Trigger: p.Trigger, Triggered: p.Triggered, Duration: max(0, now.Sub(p.Triggered)),
			Acked: p.Acked, Subtasks: p.Subtasks, Parts: p.Parts,
		}
		for _, part := range p.Parts {
			c.FullBytes += part.FullBytes
			c.NewBytes += part.NewBytes
		}
		all = append(all, observed{Checkpoint: c, status: inProgress, phase: p.State, doubt: p.InDoubtSince})
	}
	for _, c := range slices.Backward(h.Checkpoints) {
		o := observed{Checkpoint: c, status: completed, keptBy: kept[c.Ref()]}
		if c.Status == history.Failed {
			o.status = aborted
		}
		all = append(all, o)
	}
	return all
}

func (s *Server) checkpoints(*http.Request) (any, error) {
	c, err := s.coordinator()
	if err != nil {
		return nil, err
	}
	st, h := c.Status(), c.History()
	x := CheckpointStatistics{
		Counts:  CheckpointCounts{InProgress: int64(len(st.Pending)), Completed: h.Completed, Failed: h.Failed},
		History: []Checkpoint{},
	}
	x.Counts.Total = x.Counts.InProgress + h.Completed + h.Failed
	if r := st.Restored; r != nil {
		x.Counts.Restored = 1
		x.Latest.Restored = &RestoredCheckpoint{ID: uint64(r.ID), RestoredMS: milliseconds(r.At), Path: s.path(r.Ref)}
	}
	var full, fresh, took []float64
	for _, o := range observe(st, h, time.Now()) {
		of := s.checkpoint(o)
		x.History = append(x.History, of)
		switch {
		case o.status == completed && x.Latest.Completed == nil:
			x.Latest.Completed = &of
		case o.status == aborted && x.Latest.Failed == nil:
			x.Latest.Failed = &of
		}
		if o.status == completed {
			full, fresh, took = append(full, float64(of.FullBytes)), append(fresh, float64(of.NewBytes)), append(took, float64(of.Duration))
		}
	}
	none := stats(make([]float64, len(full)))
	x.Summary = CheckpointSummary{stats(fresh), stats(full), stats(took), none, none, none}
	return x, nil
}

func (s *Server) checkpointConfig(*http.Request) (any, error) {
	if _, err := s.coordinator(); err != nil {
		return nil, err
	}
	return s.job.Checkpoints, nil
}

func (s *Server) checkpointDetails(r *http.Request) (any, error) {
	o, err := s.find(r)
	if err != nil {
		return nil, err
	}
	c := s.checkpoint(o)
	for _, chain := range vertices(s.graphOf(o)) {
		c.Vertices[string(chain[0].ID)] = o.vertex(chain[0])
	}
	return c, nil
}

// find returns the checkpoint that a request names: the newest of that number, since
// another leader may have taken one that was not committed.
func (s *Server) find(r *http.Request) (observed, error) {
	c, err := s.coordinator()
	if err != nil {
		return observed{}, err
	}
	id, err := checkpointID(r)
	if err != nil {
		return observed{}, err
	}
	st := c.Status()
	for _, o := range observe(st, c.History(), time.Now()) {
		if o.ID == id {
			return o, nil
		}
	}
	for _, kept := range st.Retained {
		if kept.ID != id {
			continue
		}
		ctx, release, err := s.askStore(r.Context())
		if err != nil {
			return observed{}, err
		}
		defer release()
		m, err := incremental.ReadManifest(ctx, s.job.Store, kept.ID, kept.Epoch)
		if err != nil {
			return observed{}, storeFailed(fmt.Errorf("checkpoint %d: %w", id, err))
		}
		return fromManifest(m, kept), nil
	}
	return observed{}, failed(http.StatusNotFound, "checkpoint %d is neither retained nor in history", id)
}

// fromManifest describes a checkpoint that history no longer lists.
func fromManifest(m *incremental.Manifest, kept coordinator.Retained) observed {
	c := history.Checkpoint{
		ID: m.Checkpoint, Epoch: m.Epoch, Base: m.Base, Kind: m.Kind, Status: history.Completed, Triggered: m.Triggered, Duration: kept.Created.Sub(m.Triggered),
		FullBytes: m.Stats.FullBytes, NewBytes: m.Stats.NewBytes, Files: m.Stats.Files, SharedFiles: m.Stats.SharedFiles, NewObjects: m.Stats.NewObjects,
	}
	for _, chain := range vertices(m.Graph) {
		for i := range chain[0].Parallelism {
			part := history.Part{Vertex: chain[0].ID, Index: i, Acked: m.Created}
			for _, sub := range m.Subtasks {
				if sub.Index != i || !slices.ContainsFunc(chain, func(o checkpoint.GraphOperator) bool { return o.ID == sub.Operator }) {
					continue
				}
				part.Timings = part.Timings.Longest(history.Timings{Start: sub.Timings.Start, Align: sub.Timings.Align, Sync: sub.Timings.Sync, Async: sub.Timings.Async})
				if sub.Keyed != nil {
					part.FullBytes += sub.Keyed.FullBytes()
				}
			}
			c.Parts = append(c.Parts, part)
			c.Timings = c.Timings.Longest(part.Timings)
		}
	}
	c.Acked, c.Subtasks = len(c.Parts), len(c.Parts)
	return observed{Checkpoint: c, status: completed, keptBy: kept.KeptBy, graph: &m.Graph}
}

func checkpointID(r *http.Request) (checkpoint.ID, error) {
	id, err := strconv.ParseUint(r.PathValue("checkpoint"), 10, 64)
	if err != nil {
		return 0, failed(http.StatusBadRequest, "%q is no checkpoint: give its number", r.PathValue("checkpoint"))
	}
	return checkpoint.ID(id), nil
}

// coordinator returns the job's, or why there is none.
func (s *Server) coordinator() (Coordinator, error) {
	if s.job.Coordinator == nil {
		return nil, failed(http.StatusNotFound, "checkpoints are off")
	}
	return s.job.Coordinator, nil
}

// graphOf is the graph that a checkpoint was taken of.
func (s *Server) graphOf(o observed) checkpoint.Graph {
	if o.graph != nil {
		return *o.graph
	}
	return s.job.Graph
}

// place is the URL of the job's store; empty: it has none.
func (s *Server) place() string {
	if s.job.Store == nil {
		return ""
	}
	return s.job.Store.String()
}

// path is the URL of a checkpoint.
func (s *Server) path(r checkpoint.Ref) string {
	return strings.TrimSuffix(s.place(), "/") + "/" + incremental.ManifestName(r.ID, r.Epoch)
}

// checkpoint describes one, without its vertices.
func (s *Server) checkpoint(o observed) Checkpoint {
	c := Checkpoint{
		Class: strings.ToLower(o.status), ID: uint64(o.ID), Status: o.status, IsSavepoint: o.Kind == checkpoint.Savepoint, Triggered: milliseconds(o.Triggered),
		LatestAck: o.latestAck(""), NewBytes: o.NewBytes, FullBytes: o.FullBytes, Duration: o.Duration.Milliseconds(), Subtasks: o.Subtasks, Acked: o.Acked,
		Type: "CHECKPOINT", Vertices: map[string]VertexProgress{},
		Tidemark: CheckpointExtra{
			Epoch: uint64(o.Epoch), Base: uint64(o.Base), Kind: o.Kind.String(), Trigger: string(o.Trigger), Cause: o.Cause, Files: o.Files,
			SharedFiles: o.SharedFiles, NewObjects: o.NewObjects, KeptBy: append([]string{}, o.keptBy...), InDoubt: milliseconds(o.doubt),
		},
	}
	if c.IsSavepoint {
		c.Type = "SAVEPOINT"
	}
	switch o.status {
	case inProgress:
		c.Tidemark.Phase = o.phase.String()
	case completed:
		c.Tidemark.Phase = coordinator.Completed.String()
		c.Path, c.Discarded = s.path(o.Ref()), new(o.keptBy == nil)
	case aborted:
		c.Tidemark.Phase = coordinator.Aborted.String()
		c.FailedAt, c.FailureMessage = milliseconds(o.Ended()), o.Reason
	}
	return c
}

// latestAck is when the last subtask of a vertex acknowledged so far, -1: none did. An
// empty vertex stands for all.
func (o observed) latestAck(vertex checkpoint.OperatorID) int64 {
	latest := int64(-1)
	for _, p := range o.Parts {
		if vertex == "" || p.Vertex == vertex {
			latest = max(latest, milliseconds(p.Acked))
		}
	}
	return latest
}

// vertex sums up a vertex's part in the checkpoint.
func (o observed) vertex(of checkpoint.GraphOperator) VertexProgress {
	v := VertexProgress{ID: uint64(o.ID), Status: o.status, LatestAck: o.latestAck(of.ID), Duration: -1, Subtasks: of.Parallelism}
	for _, p := range o.Parts {
		if p.Vertex == of.ID {
			v.Acked++
			v.FullBytes += p.FullBytes
			v.NewBytes += p.NewBytes
		}
	}
	if v.Acked > 0 {
		v.Duration = max(0, v.LatestAck-milliseconds(o.Triggered))
	}
	return v
}
