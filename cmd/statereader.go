package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
)

// stateReader reads the keyed state of a checkpoint without its job. It downloads and
// opens the state of one subtask at a time.
type stateReader struct {
	store    upload.Store
	info     coordinator.CheckpointInfo
	manifest *incremental.Manifest
	counters *upload.Counters // of what was asked for
}

// openState opens <store>/<job>[@<checkpoint>].
func (f *checkpointFlags) openState(ctx context.Context, target string) (*stateReader, error) {
	args := []string{target}
	if i := strings.LastIndexByte(target, '@'); i > strings.LastIndexByte(target, '/') {
		args = []string{target[:i], target[i+1:]}
	}
	store, err := f.openStore(ctx, args[0])
	if err != nil {
		return nil, err
	}
	r := &stateReader{counters: new(upload.Counters)}
	r.store = upload.Counting(store, r.counters)
	infos, err := coordinator.List(ctx, r.store)
	if err != nil {
		return nil, noJob(ctx, store, err)
	}
	if r.info, err = chosen(infos, args); err != nil {
		return nil, err
	}
	r.manifest, err = incremental.ReadManifest(ctx, r.store, r.info.ID, r.info.Epoch)
	return r, coordinator.UnlessDropped(ctx, r.store, r.info, err)
}

// read returns the bytes that were read from the store.
func (r *stateReader) read() int64 {
	return r.counters.Get.Bytes.Load() + r.counters.GetRange.Bytes.Load()
}

// readableState is a state of an operator, with the handles that hold it.
type readableState struct {
	Operator   checkpoint.OperatorID
	Descriptor state.Descriptor
	Handles    []*incremental.Handle // by their key groups
}

// states returns the states of the checkpoint, by operator and name.
func (r *stateReader) states() []readableState {
	var all []readableState
	for _, s := range r.manifest.Subtasks {
		if s.Keyed == nil {
			continue
		}
		for _, d := range s.Keyed.States {
			i := slices.IndexFunc(all, func(o readableState) bool { return o.Operator == s.Operator && o.Descriptor.Name == d.Name })
			if i < 0 {
				i, all = len(all), append(all, readableState{Operator: s.Operator, Descriptor: d})
			}
			all[i].Handles = append(all[i].Handles, s.Keyed)
		}
	}
	slices.SortFunc(all, func(a, b readableState) int {
		return strings.Compare(string(a.Operator)+"/"+a.Descriptor.Name, string(b.Operator)+"/"+b.Descriptor.Name)
	})
	return all
}

// choose returns the one state that is named. An empty name leaves the choice to the other,
// or to there being only one.
func (r *stateReader) choose(operator, name string) (readableState, error) {
	all := r.states()
	var fit []readableState
	var names []string
	for _, s := range all {
		names = append(names, fmt.Sprintf("%s/%s", s.Operator, s.Descriptor.Name))
		if (operator == "" || operator == string(s.Operator)) && (name == "" || name == s.Descriptor.Name) {
			fit = append(fit, s)
		}
	}
	switch {
	case len(all) == 0:
		return readableState{}, fmt.Errorf("checkpoint %v has no keyed state", r.manifest.Checkpoint)
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return readableState{}, cli.Usage(fmt.Errorf("checkpoint %v has no state %q of operator %q, only %s", r.manifest.Checkpoint, name, operator, strings.Join(names, ", ")))
	}
	return readableState{}, cli.Usage(fmt.Errorf("checkpoint %v has %d such states: name one by --operator and --state: %s", r.manifest.Checkpoint, len(fit), strings.Join(names, ", ")))
}

// errEnough ends a visit early.
var errEnough = errors.New("enough")

// bounds returns the least key of a handle that is wanted, and the one behind the last.
type bounds func(*incremental.Handle) (start, end []byte)

// allOf are the bounds of all keys of a handle.
func allOf(h *incremental.Handle) (start, end []byte) {
	return keygroup.AppendPrefix(nil, keygroup.KeyGroup(h.Range.Start)), keygroup.AppendPrefix(nil, keygroup.KeyGroup(h.Range.End))
}

// each calls f for each entry of the state within bounds of the handles that had not expired
// when the checkpoint was taken, with its stored size. It ends at f's first error, without
// one at errEnough.
func (r *stateReader) each(ctx context.Context, s readableState, handles []*incremental.Handle, within bounds, f func(e state.UntypedEntry, bytes int) error) (err error) {
	u, err := state.UntypedOf(s.Descriptor)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tidemark-state-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	resources, err := rocks.NewResources(rocks.Options{MemoryBytes: 32 << 20, TableBytes: 1 << 20, Clock: func() time.Time { return r.manifest.Created }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resources.Close()) }()
	factory, err := incremental.NewFactory(incremental.Options{
		Dir: dir, Store: r.store, Log: slog.New(slog.DiscardHandler),
		OpenBase: func(dir string, states []state.Descriptor) (incremental.Base, error) {
			return rocks.Open(dir, resources, states)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, factory.Close()) }()
	for _, h := range handles {
		err := eachOf(ctx, factory, s, h, func(col state.Column) error {
			start, end := within(h)
			return r.scan(u, col.Scan(start, end), f)
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			err = coordinator.UnlessDropped(ctx, r.store, r.info, err)
			return fmt.Errorf("state %s/%s of subtask %d: %w", s.Operator, s.Descriptor.Name, h.Index, err)
		}
	}
	return nil
}

// eachOf calls f with the column of the state in a handle, as it was when the checkpoint was
// taken.
func eachOf(ctx context.Context, factory *incremental.Factory, s readableState, h *incremental.Handle, f func(state.Column) error) (err error) {
	b, err := factory.Open(ctx, state.OpenRequest{
		Operator: h.Operator, Index: h.Index, Attempt: 1, KeyGroups: h.Range, Restored: h.Checkpoint, Handles: []checkpoint.StateHandle{h},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	col, err := b.Column(s.Descriptor)
	if err != nil {
		return err
	}
	return f(col)
}

func (r *stateReader) scan(u *state.Untyped, it state.Iterator, f func(e state.UntypedEntry, bytes int) error) (err error) {
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		e, counts, err := u.Decode(it.Key(), it.Value())
		if err != nil {
			return fmt.Errorf("entry %x: %w", it.Key(), err)
		}
		if !counts || !e.Expires.IsZero() && !e.Expires.After(r.manifest.Created) {
			continue
		}
		if err := f(e, len(it.Key())+len(it.Value())); err != nil {
			return err
		}
	}
	return it.Err()
}

// told says on w what the answer took.
func (r *stateReader) told(w io.Writer, entries int) {
	_, _ = fmt.Fprintf(w, "%d entries of checkpoint %v, taken %s; read %s from the store\n", entries, r.manifest.Checkpoint, r.manifest.Created.UTC().Format(time.RFC3339), cli.BytesText(r.read()))
}
