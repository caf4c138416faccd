package incremental

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/upload"
)

// OpenBase opens the local store in dir, which exists, or makes an empty one if dir is
// empty. States are those that may be in it.
type OpenBase func(dir string, states []state.Descriptor) (Base, error)

// Options are those of all backends of a process. Dir, Store and OpenBase are required.
// The zero value of another field means its default.
type Options struct {
	// Dir is a directory for local state. It belongs to one Factory at a time
	// (ErrInUse), and is made if it does not exist, also when it was removed while a
	// Factory has it. A directory that holds anything else is refused (ErrForeignDir).
	// What earlier Factories left in it is removed, since a job restores its state from
	// the store.
	Dir string
	// Store is the job's part of a store: object names begin with "data/". If a request
	// fails, so does the checkpoint or the restore; upload.Retrying tries again.
	Store upload.Store
	// OpenBase opens the local store of a subtask.
	OpenBase OpenBase
	// Backend is what OpenBase opens. State that a newer one wrote is refused. The zero
	// value refuses none.
	Backend BackendInfo
	// Parallel bounds the transfers of all backends together. Default 8.
	Parallel int
	// Plan trades uploading little against storing little.
	Plan PlanOptions
	// Log gets warnings that fail nothing. Default slog.Default().
	Log *slog.Logger
}

// Validate returns an error that names every field with an invalid value.
func (o Options) Validate() error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	must(o.Dir != "", "Dir is missing")
	must(o.Store != nil, "Store is missing")
	must(o.OpenBase != nil, "OpenBase is missing")
	must(o.Parallel >= 0, "Parallel is %d", o.Parallel)
	must(o.Plan.MinLiveShare >= 0 && o.Plan.MinLiveShare <= 1, "Plan.MinLiveShare is %v, must be from 0 to 1", o.Plan.MinLiveShare)
	must(o.Plan.ObjectBytes >= 0, "Plan.ObjectBytes is %d", o.Plan.ObjectBytes)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("incremental options: %w", err)
	}
	return nil
}

// Factory opens the backends of a process. It implements state.Factory; any
// goroutine may use it.
type Factory struct {
	options Options
	slots   slots
	lock    *dirLock
}

var _ state.Factory = (*Factory)(nil)

// NewFactory locks Options.Dir, until Close or the end of the process, and removes what
// earlier Factories left in it.
func NewFactory(o Options) (*Factory, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Parallel = cmp.Or(o.Parallel, 8)
	o.Plan = o.Plan.withDefaults()
	o.Log = cmp.Or(o.Log, slog.Default())
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := lock.empty(); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return &Factory{options: o, slots: make(slots, o.Parallel), lock: lock}, nil
}

// Close unlocks the directory. All backends must be closed before.
func (f *Factory) Close() error { return f.lock.release() }

// Open implements state.Factory. If bytes in the store are wrong or gone, it opens and
// deletes nothing, and its error wraps a *CorruptStateError and
// checkpoint.ErrUnrestorable.
func (f *Factory) Open(ctx context.Context, r state.OpenRequest) (state.Backend, error) {
	b, err := Restore(func() (*Backend, error) { return f.open(ctx, r) })
	if err != nil {
		return nil, fmt.Errorf("open state of %s/%d: %w", r.Operator, r.Index, err)
	}
	return b, nil
}

func (f *Factory) open(ctx context.Context, r state.OpenRequest) (_ *Backend, err error) {
	handles, err := relevant(r, f.options.Backend)
	if err != nil {
		return nil, err
	}
	dir, err := f.lock.makeDir(fmt.Sprintf("%s-%d-%d-*", r.Operator, r.Index, r.Attempt))
	if err != nil {
		return nil, err
	}
	b := &Backend{
		operator: r.Operator, index: r.Index, attempt: r.Attempt, groups: r.KeyGroups,
		store: f.options.Store, plan: f.options.Plan, slots: f.slots, log: f.options.Log,
		dir: dir, states: map[string]state.Descriptor{}, unopened: map[string]bool{},
	}
	defer func() {
		if err == nil {
			return
		}
		if b.base != nil {
			err = errors.Join(err, b.base.Close())
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := mergeStates(b.states, handles); err != nil {
		return nil, err
	}
	var dropped []string
	for _, name := range r.Drop {
		if _, ok := b.states[name]; ok {
			delete(b.states, name)
			dropped = append(dropped, name)
			f.options.Log.Warn("state of the checkpoint is dropped", "operator", r.Operator, "subtask", r.Index, "state", name)
		}
	}
	for name := range b.states {
		b.unopened[name] = true
	}
	home := filepath.Join(dir, "base")
	if len(handles) == 1 && handles[0].Range == r.KeyGroups {
		base, err := f.restore(ctx, home, handles[0])
		if err != nil {
			return nil, err
		}
		b.base = base
		for _, name := range dropped {
			if err := base.Drop(name); err != nil {
				return nil, err
			}
		}
		// The files in home are the handle's. The next checkpoint need not upload
		// those that are still there.
		b.past.add(handles[0])
		return b, nil
	}
	base, err := f.openBase(home, slices.Collect(maps.Values(b.states)))
	if err != nil {
		return nil, err
	}
	b.base = base
	for i, h := range handles {
		if err := f.copyInto(ctx, b, filepath.Join(dir, fmt.Sprintf("source-%d", i)), h); err != nil {
			return nil, fmt.Errorf("key groups %v of %s/%d at checkpoint %d: %w", h.Range.Intersect(r.KeyGroups), h.Operator, h.Index, h.Checkpoint, err)
		}
	}
	return b, nil
}

// relevant returns the handles that hold some of the requested key groups. They must
// hold each of these exactly once (I9): if two held a key group, one would win by
// chance, and one that no handle holds would restore as empty state.
func relevant(r state.OpenRequest, local BackendInfo) ([]*Handle, error) {
	if !checkpoint.ValidOperatorID(r.Operator) || r.Index < 0 {
		return nil, errors.New("not a valid subtask")
	}
	if r.KeyGroups.Start < 0 || r.KeyGroups.Len() == 0 || r.KeyGroups.End > keygroup.MaxGroups {
		return nil, fmt.Errorf("key groups %v are not a valid range", r.KeyGroups)
	}
	var all []*Handle
	for i, sh := range r.Handles {
		h, ok := sh.(*Handle)
		if !ok || h == nil {
			return nil, fmt.Errorf("handle %d is a %T, want a *incremental.Handle", i, sh)
		}
		if err := validateHandle(fmt.Sprintf("handle %d", i), h); err != nil {
			return nil, err
		}
		if err := h.checkRestorable(local); err != nil {
			return nil, fmt.Errorf("handle %d: %w", i, err)
		}
		if h.Operator != r.Operator {
			return nil, fmt.Errorf("handle %d is of operator %q", i, h.Operator)
		}
		if h.Checkpoint != r.Restored {
			return nil, fmt.Errorf("handle %d is of checkpoint %d, not of %d", i, h.Checkpoint, r.Restored)
		}
		if h.Range.Intersect(r.KeyGroups).Len() > 0 {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *Handle) int { return cmp.Compare(a.Range.Start, b.Range.Start) })
	if len(r.Handles) == 0 {
		return nil, nil
	}
	ranges := make([]keygroup.Range, len(all))
	for i, h := range all {
		ranges[i] = h.Range.Intersect(r.KeyGroups)
	}
	if err := covers(ranges, r.KeyGroups); err != nil {
		return nil, fmt.Errorf("%w, of the requested %v: the handles of checkpoint %d are not complete", err, r.KeyGroups, r.Restored)
	}
	return all, nil
}

// mergeStates collects the states of handles, which must agree on them.
func mergeStates(into map[string]state.Descriptor, handles []*Handle) error {
	for _, h := range handles {
		for _, d := range h.States {
			if old, ok := into[d.Name]; ok && old != d {
				return fmt.Errorf("%w: state %q differs between subtasks: %+v and %+v", state.ErrIncompatible, d.Name, old, d)
			}
			into[d.Name] = d
		}
	}
	return nil
}

// restore downloads a handle's files into dir, verifies them, and only then
// opens them.
func (f *Factory) restore(ctx context.Context, dir string, h *Handle) (Base, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := download(ctx, f.options.Store, f.slots, h.Files, dir); err != nil {
		return nil, err
	}
	return f.options.OpenBase(dir, slices.Clone(h.States))
}

func (f *Factory) openBase(dir string, states []state.Descriptor) (Base, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return f.options.OpenBase(dir, states)
}

// copyInto copies what b has of a handle's key groups and states into b. It restores
// the handle into a temporary base in dir. Handles are copied one after another, so at
// most one is on disk beside the target.
func (f *Factory) copyInto(ctx context.Context, b *Backend, dir string, h *Handle) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source, err := f.restore(ctx, dir, h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	part := h.Range.Intersect(b.groups)
	start := keygroup.AppendPrefix(nil, keygroup.KeyGroup(part.Start))
	end := keygroup.AppendPrefix(nil, keygroup.KeyGroup(part.End))
	for _, d := range h.States {
		if _, ok := b.states[d.Name]; !ok {
			continue // dropped
		}
		if err := copyColumn(ctx, b.base, source, d, start, end); err != nil {
			return fmt.Errorf("copy state %q: %w", d.Name, err)
		}
	}
	return nil
}

// copyBatch is how many entries are copied between looks at the context.
const copyBatch = 4096

func copyColumn(ctx context.Context, target, source Base, d state.Descriptor, start, end []byte) (err error) {
	from, err := source.Column(d)
	if err != nil {
		return err
	}
	to, err := target.Column(d)
	if err != nil {
		return err
	}
	it := from.Scan(start, end)
	defer func() { err = errors.Join(err, it.Close()) }()
	for n := 0; it.Next(); n++ {
		if n%copyBatch == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := to.Put(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Err()
}
