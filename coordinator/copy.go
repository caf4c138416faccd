package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Errors of copies.
var (
	// ErrJobExists: there is a job, or a copy of another one, where a copy is to go.
	ErrJobExists = errors.New("there is something already")
	// ErrCopyUnfinished is an ErrHeadMissing: a copy was begun there and not finished.
	ErrCopyUnfinished = fmt.Errorf("%w: a copy was begun here and not finished", ErrHeadMissing)
)

// CopyOptions say how a job is copied. The zero value of a field means its default.
type CopyOptions struct {
	Parallel int // objects at once. Default 8.
	// Within copies an object of that name from the one place to the other without its
	// bytes passing through this process. It may fail with upload.ErrUnsupported. Nil: the
	// places are not in one store.
	Within func(ctx context.Context, name string) error
	// Progress is called after each object, never twice at once.
	Progress func(CopyProgress)
}

// CopyProgress is how far a copy has come.
type CopyProgress struct {
	Objects, TotalObjects int
	Bytes, TotalBytes     int64
}

// Copied is what a copy did.
type Copied struct {
	Job         string
	Checkpoints []checkpoint.ID
	Objects     Amount // data objects that the copy has
	There       Amount // of them, what an earlier try had copied
	Within      Amount // of them, what the store copied by itself
	Plans       int    // more than one: checkpoints were dropped meanwhile
}

// copyPlans bounds how often a copy is planned again because the leader dropped
// checkpoints. Each time less is left to copy.
const copyPlans = 64

// copyMark is the object that says that a copy was begun.
type copyMark struct {
	From string `json:"from"`
	Job  string `json:"job"`
}

// Copy copies a job's retained checkpoints to a place where there is no job, under another
// name if job is another. An object that checkpoints share is copied once. Each copied
// object is verified. Head comes last, so a copy that was cut short is no job; the same
// Copy goes on with it. It may run beside a leader: if that drops a checkpoint, Copy plans
// anew on the newer head. Claims of other jobs and the history are not copied.
func Copy(ctx context.Context, from upload.Reader, to upload.Store, job string, o CopyOptions) (Copied, error) {
	c := copier{from: from, to: to, job: job, o: o, done: map[string]bool{}}
	if err := c.begin(ctx); err != nil {
		return Copied{}, fmt.Errorf("copy to %s: %w", to, err)
	}
	h, err := readingTimes(ctx, from, copyPlans, func(h Head) error {
		c.result.Plans++
		return c.checkpoints(ctx, h)
	})
	if err == nil {
		err = c.finish(ctx, h)
	}
	if err != nil {
		return Copied{}, fmt.Errorf("copy to %s: %w", to, err)
	}
	return c.result, nil
}

type copier struct {
	from    upload.Reader
	to      upload.Store
	job     string
	o       CopyOptions
	result  Copied
	written map[checkpoint.ID]incremental.Written // manifests of the last plan

	found map[string]bool // data objects of an earlier try

	mu   sync.Mutex
	done map[string]bool // data objects that were copied or found whole
}

// begin marks the place as one of a copy.
func (c *copier) begin(ctx context.Context) error {
	if _, _, err := ReadHead(ctx, c.to); !errors.Is(err, ErrNoHead) {
		return errors.Join(fmt.Errorf("%w: a head", ErrJobExists), err)
	}
	mark, err := json.Marshal(copyMark{c.from.String(), c.job})
	if err != nil {
		return err
	}
	there, _, err := upload.ReadAll(ctx, c.to, incremental.CopyMarkName, 1<<16)
	switch {
	case err == nil && bytes.Equal(there, mark):
		c.found = map[string]bool{}
		for info, err := range c.to.List(ctx, incremental.DataPrefix) {
			if err != nil {
				return err
			}
			c.found[info.Name] = true
		}
		return nil
	case err == nil:
		return fmt.Errorf("%w: a copy of another job was begun: %s", ErrJobExists, there)
	case !errors.Is(err, upload.ErrNotExist):
		return err
	}
	if found, err := anyObject(ctx, c.to); err != nil || found != "" {
		return errors.Join(fmt.Errorf("%w: %s", ErrJobExists, cmp.Or(found, "perhaps")), err)
	}
	if _, _, err := ReadHead(ctx, c.from); err != nil {
		return err
	}
	_, err = c.to.Put(ctx, incremental.CopyMarkName, upload.BodyFromBytes(mark), upload.PutOptions{IfAbsent: true})
	return err
}

// checkpoints copies what a head retains, manifests last.
func (c *copier) checkpoints(ctx context.Context, h Head) error {
	if len(h.Savepoints)+len(h.Borrows) > 0 {
		return fmt.Errorf("head names %d savepoints and %d checkpoints of other jobs: %w", len(h.Savepoints), len(h.Borrows), upload.ErrUnsupported)
	}
	objects := map[string]incremental.Object{}
	var all []*incremental.Manifest
	err := manifests(ctx, c.from, h, func(_ Retained, m *incremental.Manifest) error {
		all = append(all, m)
		maps.Copy(objects, m.Objects())
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.objects(ctx, slices.SortedFunc(maps.Values(objects), func(a, b incremental.Object) int { return cmp.Compare(a.Name, b.Name) })); err != nil {
		return err
	}
	c.written = map[checkpoint.ID]incremental.Written{}
	c.result.Checkpoints = nil
	for _, m := range all {
		m.Job = c.job
		w, err := incremental.WriteManifest(ctx, c.to, m)
		if err != nil {
			return err
		}
		c.written[m.Checkpoint] = w
		c.result.Checkpoints = append(c.result.Checkpoints, m.Checkpoint)
	}
	return nil
}

// objects copies the data objects that are not there yet.
func (c *copier) objects(ctx context.Context, all []incremental.Object) error {
	p := CopyProgress{TotalObjects: len(all)}
	c.result.Objects = Amount{}
	for _, o := range all {
		c.result.Objects.add(upload.Info{Size: o.Size})
	}
	p.TotalBytes = c.result.Objects.Bytes
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, cmp.Or(c.o.Parallel, 8)))
	for _, o := range all {
		g.Go(func() error {
			how, err := c.object(gctx, o)
			if err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done[o.Name] = true
			if how != nil {
				how.add(upload.Info{Size: o.Size})
			}
			p.Objects++
			p.Bytes += o.Size
			if c.o.Progress != nil {
				c.o.Progress(p)
			}
			return nil
		})
	}
	return g.Wait()
}

// object copies one object, unless it is there, and verifies it. It returns the amount that
// it adds to; nil: to none.
func (c *copier) object(ctx context.Context, o incremental.Object) (*Amount, error) {
	c.mu.Lock()
	done := c.done[o.Name]
	c.mu.Unlock()
	if done {
		return nil, nil
	}
	if c.found[o.Name] {
		if err := whole(ctx, c.to, o); err == nil || !errors.Is(err, upload.ErrCorrupt) {
			return &c.result.There, err
		}
	}
	if c.o.Within != nil {
		err := c.o.Within(ctx, o.Name)
		if err == nil {
			return &c.result.Within, whole(ctx, c.to, o)
		}
		if !errors.Is(err, upload.ErrUnsupported) {
			return nil, err
		}
	}
	_, err := c.to.Put(ctx, o.Name, upload.BodyFromObject(ctx, c.from, o.Name, o.Size, o.CRC32C), upload.PutOptions{})
	if err != nil {
		if _, gone := c.from.Head(ctx, o.Name); errors.Is(gone, upload.ErrNotExist) {
			return nil, gone // whatever the one store says of what the other one did
		}
	}
	return nil, err
}

// whole returns nil if a store has the object with its bytes: by the store's checksum, or
// by reading it.
func whole(ctx context.Context, r upload.Reader, o incremental.Object) error {
	info, err := r.Head(ctx, o.Name)
	if err != nil {
		return err
	}
	if info.Size == o.Size && info.HasCRC32C && info.CRC32C == o.CRC32C {
		return nil
	}
	if info.Size != o.Size {
		return fmt.Errorf("%s: %w: %d bytes, not %d", o.Name, upload.ErrCorrupt, info.Size, o.Size)
	}
	if err := upload.BodyFromObject(ctx, r, o.Name, o.Size, o.CRC32C).Verify(); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	return nil
}

// finish makes the copy a job.
func (c *copier) finish(ctx context.Context, h Head) error {
	h.Job, h.Writer, h.Leader, h.Claims = c.job, "copy-"+rand.Text(), "", nil
	h.Epoch++ // so that what a try copied for a checkpoint that was dropped is dead
	h.Edit = h.Writer
	h.Retained = slices.Clone(h.Retained)
	for i, r := range h.Retained {
		w := c.written[r.ID]
		h.Retained[i].ManifestBytes, h.Retained[i].ManifestCRC32C = w.Bytes, w.CRC32C
	}
	b, err := EncodeHead(h)
	if err != nil {
		return err
	}
	if _, err := c.to.Put(ctx, incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{IfAbsent: true}); err != nil {
		return err
	}
	c.result.Job = c.job
	return c.to.Delete(ctx, incremental.CopyMarkName)
}
