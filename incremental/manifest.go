package incremental

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// FormatVersion is the version of the manifest format that this package reads
// and writes. See FORMAT.md.
const FormatVersion = 2

// Manifest describes a checkpoint: all that is needed to restore a job, and to
// explain the checkpoint to a person. It is immutable once written. Fields that are
// reserved have a place in the format, and no program writes them yet.
type Manifest struct {
	Job        string // job id
	Checkpoint checkpoint.ID
	Epoch      checkpoint.Epoch
	Attempt    checkpoint.Attempt // that took it, in that epoch
	Base       checkpoint.ID      // whose objects it could reuse; 0: none
	Kind       checkpoint.Kind
	Triggered  time.Time
	Created    time.Time // when the last acknowledgement was in, before the commit
	Graph      checkpoint.Graph
	Sources    []Source  // sorted by operator; reserved
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
	Splits   []Split    // that a source's reader has not finished; reserved: today they are in State
	Progress []Progress // in event and processing time, by key groups; reserved
	InFlight []InFlight // records that were neither processed nor in a state; reserved
}

// Source is the state of a source as a whole: of its enumerator, and the splits that no
// reader has.
type Source struct {
	Operator   checkpoint.OperatorID
	Codec      string // signature of Enumerator and of the splits' positions
	Enumerator []byte // the enumerator's snapshot
	Unassigned []Split
}

// Split is a part of a source's input. Times are in milliseconds since 1970;
// NoTime: not known.
type Split struct {
	ID       string
	Position []byte // where to read on; opaque
	From     int64  // no earlier record is in it
	Latest   int64  // of the records that were read
	Idle     bool   // the watermark does not wait for it
}

// NoTime is before all other times. It stands for a time that is not known.
const NoTime = math.MinInt64

// Progress says how far in time a range of an operator's key groups has come, in
// milliseconds since 1970; NoTime: nothing yet.
type Progress struct {
	Groups keygroup.Range
	// Watermark: every record with a time up to it has come. Event timers and
	// windows up to FiredEvent, and timers of processing time up to
	// FiredProcessing, have fired.
	Watermark, FiredEvent, FiredProcessing int64
}

// InFlight holds records that were on their way when the barrier passed: inline, or in
// a piece of an object.
type InFlight struct {
	Direction Direction
	Peer      checkpoint.OperatorID // the operator at the other end; empty for Call
	PeerIndex int
	Input     int    // which of the operator's inputs; 0 for Output and Call
	Codec     string // signature of the records
	Elements  []Element
	Piece     Piece // zero: Elements are all
}

// Direction says where records in flight are to go.
type Direction uint8

// The directions.
const (
	Input  Direction = iota + 1 // received, not processed
	Output                      // emitted, not sent
	Call                        // handed to an asynchronous call that has not answered
)

// Element is a record, or a watermark between two records.
type Element struct {
	Watermark bool
	Time      int64  // of the record, or the watermark; NoTime: none
	Record    []byte // empty for a watermark
}

// Piece says where records in flight lie if they are too many for a manifest.
type Piece struct {
	Object   Object
	Offset   int64
	Length   int64
	CRC32C   uint32
	Elements int64
}

// Stats sums up a manifest.
type Stats struct {
	FullBytes   int64 // of all keyed state
	NewBytes    int64 // uploaded by this checkpoint
	NewObjects  int
	Files       int
	SharedFiles int // of Files, uploaded by an earlier checkpoint
}

// Objects returns the set of the job's own objects that m reaches, itself
// excluded, by name.
func (m *Manifest) Objects() map[string]Object {
	n := 0
	for _, s := range m.Subtasks {
		if s.Keyed != nil {
			n += len(s.Keyed.Objects)
		}
	}
	set := make(map[string]Object, n)
	add := func(o Object) {
		if o.Place == (Place{}) {
			set[o.Name] = o
		}
	}
	for _, s := range m.Subtasks {
		if s.Keyed != nil {
			for _, o := range s.Keyed.Objects {
				add(o)
			}
		}
		for _, f := range s.InFlight {
			if f.Piece != (Piece{}) {
				add(f.Piece.Object)
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
