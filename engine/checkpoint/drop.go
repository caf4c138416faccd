package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/internal/nearest"
)

// Drop names state of a checkpoint that a job no longer has and does not take over:
// all that an operator has, or one of its states. What a checkpoint holds and a job
// neither has nor drops is refused.
type Drop struct {
	Operator OperatorID
	State    string // empty: all of an operator that is not in the job
}

// ParseDrop reads "operator" or "operator/state".
func ParseDrop(s string) (Drop, error) {
	operator, state, one := strings.Cut(s, "/")
	if !ValidOperatorID(OperatorID(operator)) || one && !ValidOperatorID(OperatorID(state)) {
		return Drop{}, fmt.Errorf("%q: use <operator>, or <operator>/<state>", s)
	}
	return Drop{OperatorID(operator), state}, nil
}

// String is the form that ParseDrop reads.
func (d Drop) String() string {
	if d.State == "" {
		return string(d.Operator)
	}
	return string(d.Operator) + "/" + d.State
}

// Mistyped says which of the names that a job has, and of those that it drops, are close
// to name, which is in the checkpoint and is neither: one may be mistyped. Empty: none is.
func Mistyped(name string, has, dropped []string) (text string) {
	if near := nearest.Names(name, has); len(near) > 0 {
		text = fmt.Sprintf("; the job has %q", near)
	}
	if near := nearest.Names(name, dropped); len(near) > 0 {
		text += fmt.Sprintf("; to be dropped is %q", near)
	}
	return text
}

// DroppedStates returns the names of the operator's states that are to be dropped.
func (r *Restored) DroppedStates(id OperatorID) (names []string) {
	for _, d := range r.Drop {
		if d.Operator == id && d.State != "" {
			names = append(names, d.State)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
