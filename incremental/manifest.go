package incremental

import (
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// FormatVersion is the version of the manifest format that this package
// writes, and the newest that it reads. See FORMAT.md.
const FormatVersion = 1

// Manifest is a checkpoint: all that is needed to restore a job, and to
// explain the checkpoint to a person. It is immutable once written.
type Manifest struct {
	Job        string // job id
	Checkpoint checkpoint.ID
	Epoch      checkpoint.Epoch
	Base       checkpoint.ID // whose objects it was allowed to reuse; 0: none
	Kind       checkpoint.Kind
	Triggered  time.Time
	Created    time.Time // all acknowledgements in, before the commit
	Graph      checkpoint.Graph
	Subtasks   []Subtask // sorted by operator and index
	Stats      Stats
	Writer     string // program and version, for people
}

// Subtask is the part of one operator's subtask in a manifest.
type Subtask struct {
	Operator checkpoint.OperatorID
	Index    int
	State    []checkpoint.OperatorState
	Keyed    *Handle // nil: no keyed state
	Timings  checkpoint.Timings
}

// Stats sums up a manifest.
type Stats struct {
	FullBytes   int64 // of all keyed state
	NewBytes    int64 // uploaded by this checkpoint
	NewObjects  int
	Files       int
	SharedFiles int // of Files, uploaded by an earlier checkpoint
}

// Objects returns the set of objects that m reaches, itself excluded.
func (m *Manifest) Objects() map[string]Object {
	set := map[string]Object{}
	for _, s := range m.Subtasks {
		if s.Keyed != nil {
			for _, o := range s.Keyed.Objects {
				set[o.Name] = o
			}
		}
	}
	return set
}

// Restored returns what an attempt of the job starts from.
func (m *Manifest) Restored() *checkpoint.Restored {
	r := &checkpoint.Restored{
		Checkpoint: m.Checkpoint, Epoch: m.Epoch, Final: m.Kind == checkpoint.Final, Graph: m.Graph,
		Operators: map[checkpoint.OperatorID][]checkpoint.OperatorSnapshot{},
	}
	for _, s := range m.Subtasks {
		o := checkpoint.OperatorSnapshot{Operator: s.Operator, Index: s.Index, State: s.State}
		if s.Keyed != nil {
			o.Keyed = s.Keyed
		}
		r.Operators[s.Operator] = append(r.Operators[s.Operator], o)
	}
	return r
}
