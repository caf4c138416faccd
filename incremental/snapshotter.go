package incremental

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/upload"
)

// pending implements state.Pending: a snapshot that waits to be written to dir,
// and uploaded from there.
type pending struct {
	backend   *Backend
	barrier   checkpoint.Barrier
	dir       string
	write     func() error // see Base.Freeze
	release   func()
	immutable func(name string) bool
	contents  func(dir string) (state.Contents, error)
	base      *Handle // nil: reuse nothing
	states    []state.Descriptor
	taken     atomic.Bool // by Persist or Release
}

// errTaken: a snapshot was persisted or released before.
var errTaken = errors.New("snapshot was already persisted or released")

// Release implements state.Pending. Releasing again does nothing.
func (p *pending) Release() {
	if p.taken.CompareAndSwap(false, true) {
		p.remove()
	}
}

func (p *pending) remove() {
	p.release()
	if err := os.RemoveAll(p.dir); err != nil {
		p.backend.log.Warn("local snapshot stays on disk until the backend closes",
			"checkpoint_id", p.barrier.ID, "operator", p.backend.operator, "index", p.backend.index, "error", err)
	}
}

// Persist implements state.Pending. Its error is a *state.PersistError, and wraps
// checkpoint.ErrRefused where the store will refuse the next snapshot, too.
func (p *pending) Persist(ctx context.Context) (checkpoint.StateHandle, error) {
	if !p.taken.CompareAndSwap(false, true) {
		return nil, p.failed(errTaken, nil)
	}
	defer p.remove()
	if ctx.Err() != nil {
		return nil, p.failed(context.Cause(ctx), nil)
	}
	if err := p.write(); err != nil {
		return nil, p.failed(err, nil)
	}
	files, err := p.list()
	if err != nil {
		return nil, p.failed(err, nil)
	}
	contents, err := p.contents(p.dir)
	if err != nil {
		return nil, p.failed(err, nil)
	}
	plan := Plan(p.base, files, p.backend.plan)
	uploads := Pack(plan.Upload, p.backend.plan)

	objects := make([]Put, len(uploads))
	var mu sync.Mutex
	var begun []string
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(p.backend.slots))
	for i, files := range uploads {
		g.Go(func() error {
			return p.backend.slots.do(gctx, func() error {
				name := p.objectName()
				mu.Lock()
				begun = append(begun, name)
				mu.Unlock()
				var err error
				objects[i], err = p.put(gctx, name, files)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, p.failed(err, begun)
	}
	h := &Handle{
		Operator: p.backend.operator, Index: p.backend.index, Range: p.backend.groups,
		Checkpoint: p.barrier.ID, States: slices.Clone(p.states),
	}
	h.Assemble(p.base, plan.Reuse, objects)
	h.describe(contents)
	if err := validateHandle("handle", h); err != nil {
		return nil, p.failed(err, begun)
	}
	p.backend.mu.Lock()
	defer p.backend.mu.Unlock()
	p.backend.past.add(h)
	return h, nil
}

// list returns the files of the snapshot.
func (p *pending) list() ([]LocalFile, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	files := make([]LocalFile, len(entries))
	for i, e := range entries {
		name, err := LocalName(e.Name())
		if err != nil {
			return nil, err
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", name)
		}
		files[i] = LocalFile{Name: name, Size: info.Size(), Immutable: p.immutable(name)}
	}
	return files, nil
}

func (p *pending) failed(err error, objects []string) error {
	if upload.Refused(err) {
		err = checkpoint.Refused(err)
	}
	return &state.PersistError{
		Checkpoint: p.barrier.ID, Operator: p.backend.operator, Index: p.backend.index,
		Objects: slices.Sorted(slices.Values(objects)), Err: err,
	}
}

func (p *pending) objectName() string {
	b := p.backend
	return NewObjectName(p.barrier.Epoch, p.barrier.ID, b.operator, b.index, b.attempt).String()
}

// put uploads files as one object. The name is new, so that the write can be
// repeated, and needs no condition (I6, I7).
func (p *pending) put(ctx context.Context, name string, files []LocalFile) (Put, error) {
	put := Put{Object: Object{Name: name}}
	var all []upload.Section
	for _, f := range files {
		ref, sections, err := sectionsOf(ctx, filepath.Join(p.dir, f.Name), put.Object.Size)
		if err != nil {
			return Put{}, err
		}
		if ref.Length != f.Size {
			return Put{}, fmt.Errorf("%s has %d bytes, and had %d when the snapshot was taken", f.Name, ref.Length, f.Size)
		}
		ref.Object = name
		put.Files = append(put.Files, File{Name: f.Name, Immutable: f.Immutable, Ref: ref})
		put.Object.Size = ref.Offset + ref.Length
		put.Object.Adopted += ref.Length
		all = append(all, sections...)
	}
	body := upload.BodyFromSections(all...)
	put.Object.CRC32C = body.CRC32C
	if _, err := p.backend.store.Put(ctx, name, body, upload.PutOptions{}); err != nil {
		return Put{}, err
	}
	return put, nil
}
