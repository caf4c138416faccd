package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors of the protocol.
var (
	// ErrFenced: another leader took over; this one must stop and not restart.
	ErrFenced = errors.New("fenced by a newer leader")
	// ErrStopped: somebody stopped the job on purpose; its last checkpoint is committed.
	ErrStopped = errors.New("the job was stopped")
	// ErrCancelled: somebody ended the job on purpose, without a last checkpoint.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrTimedOut: a checkpoint took longer than it may.
	ErrTimedOut = errors.New("timed out")
	// ErrGraphMismatch: a checkpoint does not fit the job that is to start
	// from it.
	ErrGraphMismatch = errors.New("job graph does not fit the checkpoint")
	// ErrUnrestorable: the checkpoint to start from cannot be restored, and a restart
	// cannot help. Somebody has to choose another one.
	ErrUnrestorable = errors.New("the checkpoint cannot be restored")
	// ErrRefused: the store refuses what a checkpoint needs, and will refuse it again
	// until somebody changes its permissions, credentials or the store. See Refused.
	ErrRefused = errors.New("refused by the store")
)

// Refused marks an error as ErrRefused. Refused(nil) is nil.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return refusedError{err}
}

type refusedError struct{ err error }

func (e refusedError) Error() string   { return e.err.Error() }
func (e refusedError) Unwrap() []error { return []error{ErrRefused, e.err} }

// Graph describes a job's operators: what a checkpoint must know of them.
type Graph struct {
	Job            string
	Name           string // for people; empty: Job
	MaxParallelism int
	Operators      []GraphOperator // in the order of the job's building
}

// GraphOperator describes one operator.
type GraphOperator struct {
	ID          OperatorID
	Name        string // for people; empty: the ID
	Type        string // "source", "process", "sink", …
	Parallelism int
	Key         string // signature of the key's codec; empty: not keyed
	Inputs      []GraphInput
}

// GraphInput is one input of an operator.
type GraphInput struct {
	From     OperatorID
	Exchange Exchange
	Side     string // which side output of From; empty: its stream
}

// Exchange says to which subtasks of its consumer a record goes.
type Exchange uint8

// The exchanges.
const (
	Forward   Exchange = iota // to the one of the same index
	Rebalance                 // round-robin
	ToAll                     // to each of them
	HashBy                    // to the owner of the key
)

// Fingerprint identifies the shape of the graph: operators, types, keys, edges and max
// parallelism. It leaves out the parallelism of operators, the exchanges, which can
// change with that, and names for people.
func (g Graph) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "max %d\n", g.MaxParallelism)
	for _, o := range g.Operators {
		fmt.Fprintf(h, "%s %s %s", o.ID, o.Type, o.Key)
		for _, in := range o.Inputs {
			fmt.Fprintf(h, " %s:%s", in.From, in.Side)
		}
		fmt.Fprintln(h)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Operator returns the operator named id.
func (g Graph) Operator(id OperatorID) (GraphOperator, bool) {
	i := slices.IndexFunc(g.Operators, func(o GraphOperator) bool { return o.ID == id })
	if i < 0 {
		return GraphOperator{}, false
	}
	return g.Operators[i], true
}

// Vertices returns the operators of each vertex, in the order of the graph. A
// vertex is a chain of operators that share their subtasks, since records go
// straight from one to the next. It is named for its first operator.
func (g Graph) Vertices() map[OperatorID][]OperatorID {
	vertex := make(map[OperatorID]OperatorID, len(g.Operators))
	chains := map[OperatorID][]OperatorID{}
	for _, o := range g.Operators {
		v := o.ID
		if len(o.Inputs) == 1 && o.Inputs[0].Exchange == Forward {
			if up, ok := vertex[o.Inputs[0].From]; ok {
				v = up
			}
		}
		vertex[o.ID] = v
		chains[v] = append(chains[v], o.ID)
	}
	return chains
}

// Fit checks that state written by a job with graph old can be restored into a
// job with graph g; stateful holds the operators that have state in the
// checkpoint, drop what is not taken over. The error wraps ErrGraphMismatch and
// names every misfit.
func (g Graph) Fit(old Graph, stateful []OperatorID, drop []Drop) error {
	var bad, has, dropped []string
	for _, o := range g.Operators {
		if _, ok := old.Operator(o.ID); !ok {
			has = append(has, string(o.ID))
		}
	}
	for _, d := range drop {
		dropped = append(dropped, string(d.Operator))
	}
	if g.MaxParallelism != old.MaxParallelism {
		bad = append(bad, fmt.Sprintf("max parallelism was %d and is %d: it cannot change in the life of a job", old.MaxParallelism, g.MaxParallelism))
	}
	for _, id := range stateful {
		was, _ := old.Operator(id)
		is, ok := g.Operator(id)
		switch {
		case !ok && slices.Contains(drop, Drop{Operator: id}):
		case !ok:
			bad = append(bad, fmt.Sprintf("operator %q has state in the checkpoint but is not in the job: give it back, or its old name, or drop its state%s", id, Mistyped(string(id), has, dropped)))
		case was.Key != is.Key:
			bad = append(bad, fmt.Sprintf("operator %q was keyed by %s and is keyed by %s", id, orNone(was.Key), orNone(is.Key)))
		case was.Type != is.Type:
			bad = append(bad, fmt.Sprintf("operator %q was a %s and is a %s", id, was.Type, is.Type))
		}
	}
	for _, d := range drop {
		if _, ok := g.Operator(d.Operator); ok && d.State == "" {
			bad = append(bad, fmt.Sprintf("the state of operator %q is to be dropped, but the job has the operator: name the state, as %s/<state>", d.Operator, d.Operator))
		}
	}
	if bad == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrGraphMismatch, strings.Join(bad, "; "))
}

func orNone(key string) string {
	if key == "" {
		return "nothing"
	}
	return key
}
