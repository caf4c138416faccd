package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Explanation says what an object below a job's place is for.
type Explanation struct {
	Fate   Fate
	Stored bool      // it exists
	Bytes  int64     // of all of it
	Put    time.Time // by the store's clock
	// Writer is the checkpoint that it was written for, by its name. Zero: of none.
	Writer Ref
	// History: it is a history of checkpoints. The newest is kept.
	History bool
	// Head is the epoch that leads, and Next the id of its next checkpoint.
	Head checkpoint.Epoch
	Next checkpoint.ID
	Uses []Use // by the retained checkpoints that reach it, by rising id
}

// Use says what a retained checkpoint needs an object for.
type Use struct {
	Checkpoint Ref
	Created    time.Time
	KeptBy     []string
	Files      []FileUse // none: the object is the checkpoint's manifest
}

// FileUse is a file of a checkpoint in an object.
type FileUse struct {
	Operator checkpoint.OperatorID
	Subtask  int
	File     string
	Bytes    int64
	State    string // whose table file it is; empty: it is of no state alone
}

// Bytes is how much of the object the checkpoint needs.
func (u Use) Bytes() (n int64) {
	for _, f := range u.Files {
		n += f.Bytes
	}
	return n
}

// Fate is what becomes of an object.
type Fate string

// The fates of objects.
const (
	// FateKept: a retained checkpoint reaches it, or it is head, history or of a
	// savepoint.
	FateKept Fate = "kept"
	// FateOpen: it was written for a checkpoint of the epoch that leads, and none
	// reaches it. The checkpoint may be pending. If it is not, the leader deletes it.
	FateOpen Fate = "open"
	// FateDead: nothing can ever reach it. The next sweep deletes it.
	FateDead Fate = "dead"
	// FateForeign: its name is not one of the job's. Nothing ever deletes it.
	FateForeign Fate = "foreign"
)

// Explain says what an object is for. It reads head, all retained manifests, and asks
// for the object's size; it changes nothing, and may run beside a leader. If it cannot
// read a manifest, nobody knows.
func Explain(ctx context.Context, store upload.Reader, name string) (Explanation, error) {
	var e Explanation
	past, isHistory := history.ParseName(name)
	h, err := reading(ctx, store, func(h Head) error {
		e = Explanation{Head: h.Epoch, Next: h.NextID, History: isHistory}
		if isHistory {
			return nil // no manifest names it
		}
		return manifests(ctx, store, h, func(c Retained, m *incremental.Manifest) error {
			if slices.Contains(reach(m), name) {
				e.Uses = append(e.Uses, Use{c.Ref(), c.Created, c.KeptBy, filesIn(m, name)})
			}
			return nil
		})
	})
	if err != nil {
		return Explanation{}, fmt.Errorf("explain %s: %w", name, err)
	}
	info, err := store.Head(ctx, name)
	if err != nil && !errors.Is(err, upload.ErrNotExist) {
		return Explanation{}, fmt.Errorf("explain %s: %w", name, err)
	}
	e.Stored, e.Bytes, e.Put = err == nil, info.Size, info.Modified
	if isHistory {
		newest, _, err := history.Newest(ctx, store)
		if err != nil {
			return Explanation{}, fmt.Errorf("explain %s: %w", name, err)
		}
		if e.Fate = FateKept; past != newest {
			e.Fate = FateDead
		}
		return e, nil
	}
	e.Writer, _ = owner(name)
	switch judge(name, func(string) bool { return len(e.Uses) > 0 }, deadBefore(h.Epoch, rules{})) {
	case doom:
		e.Fate = FateDead
	case stranger:
		e.Fate = FateForeign
	case spare:
		e.Fate = FateKept
		if e.Writer != (Ref{}) && len(e.Uses) == 0 {
			e.Fate = FateOpen
		}
	}
	return e, nil
}

// filesIn lists the files of a checkpoint that lie in an object.
func filesIn(m *incremental.Manifest, object string) (files []FileUse) {
	for _, s := range m.Subtasks {
		if s.Keyed == nil {
			continue
		}
		for i := range s.Keyed.Files {
			if f := &s.Keyed.Files[i]; f.Ref.Object == object {
				files = append(files, FileUse{Operator: s.Operator, Subtask: s.Index, File: f.Name, Bytes: f.Ref.Length, State: s.Keyed.StateOf(f)})
			}
		}
	}
	return files
}
