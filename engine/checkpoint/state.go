package checkpoint

import (
	"slices"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// StateHandle names the keyed state of one operator subtask at one checkpoint,
// durable in the store. Its content is the backend's business: the engine
// carries handles and never looks inside.
type StateHandle interface {
	// KeyGroups is the range whose keys the state holds.
	KeyGroups() keygroup.Range
	// FullBytes is the size of the whole state, NewBytes the size of what this
	// checkpoint uploaded.
	FullBytes() int64
	NewBytes() int64
	// NewObjects names what this checkpoint uploaded: garbage, if the
	// checkpoint is not committed.
	NewObjects() []string
}

// Redistribution says what becomes of operator state when the parallelism
// changes.
type Redistribution uint8

// The ways to redistribute operator state.
const (
	Split     Redistribution = iota // items are dealt out round-robin
	Union                           // every subtask gets all items of all
	Broadcast                       // every subtask gets the items of one: all hold the same
)

// OperatorState is state of an operator subtask that belongs to no key: a list
// of opaque items. It is small, since it travels in the acknowledgement and in
// the manifest.
type OperatorState struct {
	Name           string
	Redistribution Redistribution
	Codec          string // signature of the items' codec
	Items          [][]byte
}

// OperatorSnapshot is all that one subtask of one operator remembers.
type OperatorSnapshot struct {
	Operator OperatorID
	Index    int
	State    []OperatorState
	Keyed    StateHandle // nil: the operator has no keyed state
}

// Restored is what an attempt starts from.
type Restored struct {
	Checkpoint ID
	Epoch      Epoch // the epoch that wrote it
	// Final: all input had been processed. The attempt only publishes what
	// sinks hold pending.
	Final     bool
	Graph     Graph
	Operators map[OperatorID][]OperatorSnapshot // by index
	Drop      []Drop                            // what of it the job does not take over
}

// Stateful lists the operators that have state in the checkpoint, in the order
// of the graph.
func (r *Restored) Stateful() (ids []OperatorID) {
	for _, o := range r.Graph.Operators {
		if slices.ContainsFunc(r.Operators[o.ID], func(s OperatorSnapshot) bool { return s.Keyed != nil || len(s.State) > 0 }) {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
