package checkpoint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// ID numbers the checkpoints of a job. IDs rise within an epoch; Ref says when one
// comes again. Zero is no checkpoint.
type ID uint64

// String renders the ID in decimal.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Epoch is the fencing number of a job's leader: each leader has a greater one
// than all before it. Zero is no epoch.
type Epoch uint64

// String renders the epoch in decimal.
func (e Epoch) String() string { return strconv.FormatUint(uint64(e), 10) }

// Ref names a checkpoint: no other ever has the same. An ID alone does not, since a
// later epoch uses again an ID that no epoch committed.
type Ref struct {
	ID    ID
	Epoch Epoch
}

// String renders the ref as "id-epoch".
func (r Ref) String() string { return fmt.Sprintf("%d-%d", r.ID, r.Epoch) }

// Attempt numbers the attempts to run a job in one epoch, from 1.
type Attempt uint32

// Execution names an attempt of a job: no other ever has the same. Executions are
// ordered: a later one replaces all before it.
type Execution struct {
	Epoch   Epoch
	Attempt Attempt
}

// Compare orders executions by epoch, then attempt.
func (x Execution) Compare(y Execution) int {
	return cmp.Or(cmp.Compare(x.Epoch, y.Epoch), cmp.Compare(x.Attempt, y.Attempt))
}

// String renders the execution as "epoch/attempt".
func (x Execution) String() string { return fmt.Sprintf("%d/%d", x.Epoch, x.Attempt) }

// OperatorID is the stable name of an operator, chosen by the job's author and
// unique in the job. See ValidOperatorID.
type OperatorID string

// MaxOperatorID is the greatest length of an OperatorID in bytes.
const MaxOperatorID = 64

// ValidOperatorID reports whether id has 1 to MaxOperatorID bytes out of
// a-z, 0-9, '_' and '-', and starts with a letter or digit: it becomes a part
// of object names and directories.
func ValidOperatorID(id OperatorID) bool {
	if len(id) == 0 || len(id) > MaxOperatorID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// SubtaskID names one parallel instance of a vertex of the running job. A
// vertex is a chain of operators, named for the first.
type SubtaskID struct {
	Vertex OperatorID
	Index  int
}

// String renders the subtask as "vertex/index".
func (s SubtaskID) String() string { return fmt.Sprintf("%s/%d", s.Vertex, s.Index) }

// Compare orders subtasks by vertex, then index.
func (s SubtaskID) Compare(o SubtaskID) int {
	return cmp.Or(cmp.Compare(s.Vertex, o.Vertex), cmp.Compare(s.Index, o.Index))
}

// Kind says why a checkpoint is taken.
type Kind uint8

// The kinds of checkpoint.
const (
	Periodic  Kind = iota // the interval elapsed
	Manual                // somebody asked
	Savepoint             // somebody asked for one that depends on no other
	Final                 // all input of a bounded job has been processed
)

var kindNames = []string{"periodic", "manual", "savepoint", "final"}

// MarshalText implements encoding.TextMarshaler: the kind's name.
func (k Kind) MarshalText() ([]byte, error) {
	if int(k) >= len(kindNames) {
		return nil, fmt.Errorf("unknown kind of checkpoint %d", uint8(k))
	}
	return []byte(k.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames, string(b))
	if i < 0 {
		return fmt.Errorf("unknown kind of checkpoint %q", b)
	}
	*k = Kind(i)
	return nil
}

// String names the kind in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}
