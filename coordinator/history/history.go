package history

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Bounds of a history.
const (
	maxEach   = 64      // checkpoints that completed, and that failed
	maxParts  = 1024    // subtasks of all checkpoints; the newest checkpoint keeps its own whatever their number
	maxReason = 1 << 10 // bytes
)

// History lists checkpoints that ended. The zero value is an empty one. Its lists are
// never changed in place.
type History struct {
	Job string `json:"job"`
	// Completed and Failed count all checkpoints of the job, also those that are no
	// longer listed.
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	// Checkpoints are the newest that completed and the newest that failed, in the
	// order in which they ended.
	Checkpoints []Checkpoint `json:"checkpoints"`
}

// Find returns the checkpoint with the name.
func (h History) Find(ref checkpoint.Ref) (Checkpoint, bool) {
	i := slices.IndexFunc(h.Checkpoints, func(c Checkpoint) bool { return c.Ref() == ref })
	if i < 0 {
		return Checkpoint{}, false
	}
	return h.Checkpoints[i], true
}

// Status says how a checkpoint ended.
type Status string

// How a checkpoint ends.
const (
	Completed Status = "completed" // it was committed
	Failed    Status = "failed"    // it was aborted, and will never be committed
)

// Trigger says why a checkpoint was started.
type Trigger string

// What starts a checkpoint.
const (
	ByInterval Trigger = "interval" // its time had come
	ByRecords  Trigger = "records"  // so many records had been read
	ByRequest  Trigger = "request"  // somebody asked for it
	ByEnd      Trigger = "end"      // all input had been processed
	ByStop     Trigger = "stop"     // the job was to stop
)

// Checkpoint describes a checkpoint that ended.
type Checkpoint struct {
	ID    checkpoint.ID    `json:"id"`
	Epoch checkpoint.Epoch `json:"epoch"`
	Base  checkpoint.ID    `json:"base"` // zero: none
	Kind  checkpoint.Kind  `json:"kind"`
	// Trigger is why it was started.
	Trigger Trigger `json:"trigger"`

	Status Status `json:"status"`
	// Cause sorts the reasons for a failure: "declined", "timeout", … Reason is for
	// people. Both are empty where it completed.
	Cause  string `json:"cause,omitzero"`
	Reason string `json:"reason,omitzero"`
	// Counted: it is one of the failures that Options.TolerableFailures bounds.
	Counted bool `json:"counted,omitzero"`

	Triggered time.Time     `json:"triggered"`
	Duration  time.Duration `json:"duration_ns"` // from the trigger to the end

	// FullBytes is the size of all keyed state, NewBytes what of it was uploaded.
	// Files are those of the state, SharedFiles those of them that an earlier
	// checkpoint uploaded. All are zero where it failed.
	FullBytes   int64 `json:"full_bytes"`
	NewBytes    int64 `json:"new_bytes"`
	Files       int   `json:"files"`
	SharedFiles int   `json:"shared_files"`
	NewObjects  int   `json:"new_objects"`

	Timings      // the longest of each, over the subtasks that acknowledged
	Acked    int `json:"acked"`    // how many of them acknowledged
	Subtasks int `json:"subtasks"` // how many had to
	// Parts are the subtasks that acknowledged, in that order. Nil where history had no
	// room for them.
	Parts []Part `json:"parts,omitempty"`
}

// Ref returns the name of the checkpoint.
func (c Checkpoint) Ref() checkpoint.Ref { return checkpoint.Ref{ID: c.ID, Epoch: c.Epoch} }

// Ended is when the checkpoint ended.
func (c Checkpoint) Ended() time.Time { return c.Triggered.Add(c.Duration) }

// ReusedBytes is how much of the state earlier checkpoints had uploaded.
func (c Checkpoint) ReusedBytes() int64 { return max(0, c.FullBytes-c.NewBytes) }

// Slowest returns the part that took longest in all, false if there is none.
func (c Checkpoint) Slowest() (Part, bool) {
	if len(c.Parts) == 0 {
		return Part{}, false
	}
	return slices.MaxFunc(c.Parts, func(a, b Part) int { return cmp.Compare(a.all(), b.all()) }), true
}

// Part is a subtask's part in a checkpoint.
type Part struct {
	Vertex checkpoint.OperatorID `json:"vertex"`
	Index  int                   `json:"index"`
	Acked  time.Time             `json:"acked"` // by the coordinator's clock
	Timings
	FullBytes int64 `json:"full_bytes"` // of its keyed state
	NewBytes  int64 `json:"new_bytes"`  // what of it was uploaded
}

// Subtask returns the name of the subtask.
func (p Part) Subtask() checkpoint.SubtaskID {
	return checkpoint.SubtaskID{Vertex: p.Vertex, Index: p.Index}
}

// Timings are checkpoint.Timings, named for JSON.
type Timings struct {
	Start time.Duration `json:"start_ns"`
	Align time.Duration `json:"align_ns"`
	Sync  time.Duration `json:"sync_ns"`
	Async time.Duration `json:"async_ns"`
}

func (t Timings) all() time.Duration { return t.Start + t.Align + t.Sync + t.Async }

// Longest returns the longest of each.
func (t Timings) Longest(u Timings) Timings {
	return Timings{max(t.Start, u.Start), max(t.Align, u.Align), max(t.Sync, u.Sync), max(t.Async, u.Async)}
}

// with returns the history with one more checkpoint, and without what it then has no
// room for.
func (h History) with(c Checkpoint) History {
	c.Reason = strings.ToValidUTF8(c.Reason[:min(len(c.Reason), maxReason)], "")
	if c.Status == Completed {
		h.Completed++
	} else {
		h.Failed++
	}
	h.Checkpoints = bounded(append(slices.Clip(h.Checkpoints), c))
	return h
}

// after returns the history that continues an older one.
func (h History) after(old History) History {
	h.Completed += old.Completed
	h.Failed += old.Failed
	h.Checkpoints = bounded(slices.Concat(old.Checkpoints, h.Checkpoints))
	return h
}

// bounded picks the newest, and the parts of the newest among them. It changes the list.
func bounded(all []Checkpoint) []Checkpoint {
	room := map[Status]int{Completed: maxEach, Failed: maxEach}
	parts := maxParts
	kept := make([]Checkpoint, 0, len(all))
	for _, c := range slices.Backward(all) {
		if room[c.Status]--; room[c.Status] < 0 {
			continue
		}
		if parts -= len(c.Parts); parts < 0 && len(kept) > 0 {
			c.Parts = nil
		}
		kept = append(kept, c)
	}
	slices.Reverse(kept)
	return kept
}
