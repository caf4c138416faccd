package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Registry holds the states of one operator subtask. It stands between the
// engine and the backend: the engine never talks to a Backend itself. It
// belongs to the subtask's goroutine, except where a method says otherwise.
type Registry struct {
	backend      Backend
	keySignature string
	key          *signature
	names        map[string]bool
	columns      []Column
	rows         []*row // one a column; see EachKey
	clock        *clock
	lists        []*items
	restored     map[string][]checkpoint.OperatorState // not opened yet
	dropped      []string                              // see Drop
	errs         []error
}

// NewRegistry returns the registry of a subtask. It takes over backend; nil: the
// operator has no keyed state. keySignature is that of the operator's KeyCodec.
// restored is the subtask's part of what Redistribute returned.
func NewRegistry(backend Backend, keySignature string, restored []checkpoint.OperatorState) *Registry {
	r := &Registry{
		backend:      backend,
		keySignature: keySignature,
		names:        map[string]bool{},
		clock:        newClock(time.Now),
		restored:     map[string][]checkpoint.OperatorState{},
	}
	for _, s := range restored {
		r.restored[s.Name] = append(r.restored[s.Name], s)
	}
	if backend != nil {
		var err error
		if r.key, err = parseSignature(keySignature); err != nil {
			_ = r.fail(fmt.Errorf("%w: key: %w", ErrUnsupported, err))
		}
	}
	return r
}

// SetClock sets the clock by which values expire; the default is time.Now. Call
// it before the first state is opened. A clock that goes back has no effect until
// it has caught up.
func (r *Registry) SetClock(now func() time.Time) { r.clock = newClock(now) }

// Drop says which restored states the operator no longer declares. It removes
// operator states of these names; the backend was opened without the others. An
// operator that declares one of them is refused. Call it before the first state is
// opened.
func (r *Registry) Drop(names []string) {
	r.dropped = names
	for _, name := range names {
		delete(r.restored, name)
	}
}

// undeclared returns the names of the restored states that the operator has not
// declared.
func (r *Registry) undeclared() []string {
	names := slices.Collect(maps.Keys(r.restored))
	if r.backend != nil {
		names = append(names, r.backend.Unopened()...)
	}
	// A state that could not be opened is declared all the same.
	names = slices.DeleteFunc(names, func(name string) bool { return r.names[name] })
	slices.Sort(names)
	return names
}

// Err returns what went wrong when states were opened: bad and doubled names,
// types without a codec, states that do not fit what was restored (ErrIncompatible),
// restored states that nobody opened (ErrUndeclared). Call it once the operator has
// opened. After an error the states must not be used.
func (r *Registry) Err() error {
	errs := slices.Clone(r.errs)
	if names := r.undeclared(); len(names) > 0 {
		hints := ""
		for _, name := range names {
			hints += checkpoint.Mistyped(name, slices.Sorted(maps.Keys(r.names)), r.dropped)
		}
		errs = append(errs, fmt.Errorf("%w: %q%s", ErrUndeclared, names, hints))
	}
	return errors.Join(errs...)
}

func (r *Registry) fail(err error) error {
	r.errs = append(r.errs, err)
	return err
}

// claim reserves the name of a state.
func (r *Registry) claim(name string) error {
	if !checkpoint.ValidOperatorID(checkpoint.OperatorID(name)) {
		return fmt.Errorf("state %q: bad name: use 1 to %d of a-z, 0-9, '_' and '-', a letter or digit first", name, checkpoint.MaxOperatorID)
	}
	if r.names[name] {
		return fmt.Errorf("state %q: the operator has a state of this name already: give each its own", name)
	}
	r.names[name] = true
	if slices.Contains(r.dropped, name) {
		return fmt.Errorf("%w: state %q is to be dropped, but the operator declares it: do one or the other", ErrIncompatible, name)
	}
	return nil
}

// column opens the column of a keyed state.
func (r *Registry) column(d Descriptor) (Column, error) {
	if err := r.claim(d.Name); err != nil {
		return nil, err
	}
	if r.backend == nil {
		return nil, fmt.Errorf("state %q: the operator has no key, and so no keyed state: put KeyBy before it, or use NewOperatorList", d.Name)
	}
	d.Key = r.keySignature
	c, err := r.backend.Column(d)
	if err != nil {
		return nil, fmt.Errorf("open state %q: %w", d.Name, err)
	}
	r.columns, r.rows = append(r.columns, c), append(r.rows, &row{})
	return c, nil
}

// Snapshot freezes the keyed state (I8). Without keyed state the Pending persists
// nothing and returns a nil handle.
func (r *Registry) Snapshot(ctx context.Context, b checkpoint.Barrier) (Pending, error) {
	if r.backend == nil {
		return noState{}, nil
	}
	p, err := r.backend.Snapshot(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("snapshot of checkpoint %v: %w", b.ID, err)
	}
	return p, nil
}

// noState is the snapshot of an operator without keyed state.
type noState struct{}

func (noState) Persist(context.Context) (checkpoint.StateHandle, error) { return nil, nil }
func (noState) Release()                                                {}

// OperatorStates returns a copy of the operator states, sorted by name.
func (r *Registry) OperatorStates() []checkpoint.OperatorState {
	var all []checkpoint.OperatorState
	for _, l := range r.lists {
		all = append(all, l.snapshot())
	}
	slices.SortStableFunc(all, func(a, b checkpoint.OperatorState) int { return compareNames(a, b) })
	return all
}

// Committed says that checkpoint id is committed. Any goroutine may call it;
// doubled, late and unknown ids are harmless (I6).
func (r *Registry) Committed(id checkpoint.ID) {
	if r.backend != nil {
		r.backend.Committed(id)
	}
}

// Aborted says that checkpoint id is aborted. Otherwise it is like Committed.
func (r *Registry) Aborted(id checkpoint.ID) {
	if r.backend != nil {
		r.backend.Aborted(id)
	}
}

// Close closes the backend. No Persist may be running.
func (r *Registry) Close() error {
	if r.backend == nil {
		return nil
	}
	return r.backend.Close()
}
