package incremental

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// VerifyOptions say how to verify checkpoints. The zero value of a field means its
// default.
type VerifyOptions struct {
	Parallel int // objects read at once. Default 8.
	// Unread is the share of the objects, from 0 to 1, that are not read: a listing shows
	// whether they exist with the right size. Which ones is drawn anew for each Verifier.
	// Default 0: every object is read.
	Unread float64
	// Progress is called after each object, never twice at once.
	Progress func(VerifyProgress)
}

// VerifyProgress is how far the verification of a checkpoint has come.
type VerifyProgress struct {
	Checkpoint            checkpoint.ID
	Objects, TotalObjects int
	Bytes, TotalBytes     int64
}

// Damage is an object that is not what the manifest says.
type Damage struct {
	Object string
	Files  []string // that lie in it and are damaged, as "operator/index name", sorted
	Err    error    // a *CorruptStateError, or what is wrong with the manifest
}

// VerifyReport is what was found in the store.
type VerifyReport struct {
	Objects int   // whose bytes were compared, now or for another checkpoint
	Bytes   int64 // of these objects
	// UnreadObjects were only looked for, with UnreadBytes by the manifest.
	UnreadObjects int
	UnreadBytes   int64
	Damaged       []Damage
}

// OK reports whether no object was found that is not as the manifest says.
func (r *VerifyReport) OK() bool { return len(r.Damaged) == 0 }

// Verifier verifies checkpoints of one job. It reads an object that several of them
// share once. One goroutine uses it at a time.
type Verifier struct {
	r      upload.Reader
	o      VerifyOptions
	draw   maphash.Seed
	stored map[string]int64 // sizes of data objects; nil: not listed yet
	whole  map[Object]map[FileRef]bool
}

// NewVerifier returns a Verifier of the job in a store.
func NewVerifier(r upload.Reader, o VerifyOptions) *Verifier {
	return &Verifier{r: r, o: o, draw: maphash.MakeSeed(), whole: map[Object]map[FileRef]bool{}}
}

// Verify verifies one checkpoint by a new Verifier.
func Verify(ctx context.Context, r upload.Reader, m *Manifest, o VerifyOptions) (*VerifyReport, error) {
	return NewVerifier(r, o).Manifest(ctx, m)
}

// Checkpoint verifies the checkpoint of that id and epoch. A manifest that is damaged,
// missing or not for this program is reported as a damaged object.
func (v *Verifier) Checkpoint(ctx context.Context, id checkpoint.ID, e checkpoint.Epoch) (*VerifyReport, error) {
	m, err := ReadManifest(ctx, v.r, id, e)
	if damagedBytes(err) || errors.Is(err, ErrNewerVersion) {
		return &VerifyReport{Damaged: []Damage{{Object: ManifestName(id, e), Err: err}}}, nil
	}
	if err != nil {
		return &VerifyReport{}, err
	}
	return v.Manifest(ctx, m)
}

// Manifest reads every object that the manifest reaches, but for the share that stays
// unread, twice if it is damaged, and compares it and each file in it with size and
// checksum of the manifest (I1). The report lists what is damaged or missing. An error
// means that the store did not answer all requests: it says nothing about the objects, and
// the report holds what was found until then.
func (v *Verifier) Manifest(ctx context.Context, m *Manifest) (*VerifyReport, error) {
	for _, s := range m.Subtasks {
		if s.Keyed == nil {
			continue
		}
		for _, o := range s.Keyed.Objects {
			if o.Place != (Place{}) {
				return &VerifyReport{}, fmt.Errorf("verify checkpoint %d: object %s belongs to job %q, and is not in this store", m.Checkpoint, o.Name, o.Place.Job)
			}
		}
	}
	targets, damaged := verifyTargets(m)
	report := &VerifyReport{Damaged: damaged}
	var read []*verifyTarget
	p := VerifyProgress{Checkpoint: m.Checkpoint}
	for _, t := range targets {
		switch {
		case v.skips(t.object.Name):
			if err := v.list(ctx); err != nil {
				return report, fmt.Errorf("verify checkpoint %d: %w", m.Checkpoint, err)
			}
			report.UnreadObjects++
			report.UnreadBytes += t.object.Size
			if err := v.look(t.object); err != nil {
				report.Damaged = append(report.Damaged, *t.damage(err, nil))
			}
		case v.knows(t):
			report.Objects++
			report.Bytes += t.object.Size
		default:
			read = append(read, t)
			p.TotalObjects++
			p.TotalBytes += t.object.Size
		}
	}
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, cmp.Or(v.o.Parallel, 8)))
	for _, t := range read {
		g.Go(func() error {
			n, d, err := t.verify(gctx, v.r)
			if err != nil {
				return fmt.Errorf("verify checkpoint %d: %w", m.Checkpoint, err)
			}
			mu.Lock()
			defer mu.Unlock()
			report.Objects++
			report.Bytes += n
			if d != nil {
				report.Damaged = append(report.Damaged, *d)
			} else {
				v.learn(t)
			}
			p.Objects++
			p.Bytes += n
			if v.o.Progress != nil {
				v.o.Progress(p)
			}
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(report.Damaged, func(a, b Damage) int { return cmp.Compare(a.Object, b.Object) })
	return report, err
}

// skips reports whether an object is not read.
func (v *Verifier) skips(object string) bool {
	return v.o.Unread > 0 && float64(maphash.String(v.draw, object)>>11)/(1<<53) < v.o.Unread
}

// list lists the job's data objects, once.
func (v *Verifier) list(ctx context.Context) error {
	if v.stored != nil {
		return nil
	}
	stored := map[string]int64{}
	for info, err := range v.r.List(ctx, DataPrefix) {
		if err != nil {
			return err
		}
		stored[info.Name] = info.Size
	}
	v.stored = stored
	return nil
}

// look compares an object with the listing.
func (v *Verifier) look(o Object) error {
	size, ok := v.stored[o.Name]
	switch {
	case !ok:
		return fmt.Errorf("%w: it is not listed", upload.ErrNotExist)
	case size != o.Size:
		return fmt.Errorf("%w: %d bytes, the manifest says %d", upload.ErrCorrupt, size, o.Size)
	}
	return nil
}

// knows reports whether the object and all files of the target were found whole.
func (v *Verifier) knows(t *verifyTarget) bool {
	files, ok := v.whole[t.object]
	return ok && !slices.ContainsFunc(t.files, func(f verifyFile) bool { return !files[f.piece()] })
}

// learn remembers that the object and all files of the target are whole.
func (v *Verifier) learn(t *verifyTarget) {
	if v.whole[t.object] == nil {
		v.whole[t.object] = map[FileRef]bool{}
	}
	for _, f := range t.files {
		v.whole[t.object][f.piece()] = true
	}
}
