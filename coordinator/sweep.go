package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// SweepOptions say how a sweep goes.
type SweepOptions struct {
	// DryRun says to find orphans and to delete nothing.
	DryRun bool
	// AsIfRetired says, of a dry run, to take the leader of head for dead, as Retire makes it.
	AsIfRetired bool
	// DeletesPerSecond bounds how many objects are deleted a second. Zero:
	// DefaultDeletesPerSecond.
	DeletesPerSecond int
	// HeadVersions is how long versions of head are kept after they were overwritten, in a
	// store that keeps versions. Zero: DefaultHeadVersions.
	HeadVersions time.Duration
	// Deleted is called with what one request deleted, after it. Nil: nobody is told.
	Deleted func([]Deletion)
}

// Deletion is something that was deleted, and why.
type Deletion struct {
	Name    string
	Version string // empty: what was current
	Bytes   int64  // zero for an upload: not known
	Why     string
}

// Swept is what a sweep found.
type Swept struct {
	Epoch   checkpoint.Epoch // head's: objects of it, and of later ones, are left alone
	Stored  Amount           // everything below the job's place
	Orphans []upload.Info    // deleted, unless it was a dry run; manifests first
	Uploads []string         // unfinished multipart uploads; ended, unless it was a dry run
	Unknown []upload.Info    // names that are not the job's; left alone
	// Versions is what it found in a store that keeps versions. What the sweep itself
	// deletes there becomes a version first, which counts here as well.
	Versions SweptVersions
}

// DeleteRequests is how many requests deleting what was found takes.
func (s Swept) DeleteRequests() int64 {
	batches := func(n int) int64 { return int64((n + deleteBatch - 1) / deleteBatch) }
	v := s.Versions
	return batches(len(s.Orphans)) + int64(len(s.Uploads)) + batches(v.Old.Objects+v.OldHeads.Objects) + batches(v.Markers.Objects)
}

// ListPages is how many requests listing that many objects or versions takes.
func ListPages(n int) int64 { return max(1, int64(n+999)/1000) }

// Amount is a number of objects and their bytes.
type Amount struct {
	Objects int
	Bytes   int64
}

// AmountOf adds objects up.
func AmountOf(objects []upload.Info) (a Amount) {
	for _, o := range objects {
		a.add(o)
	}
	return a
}

func (a *Amount) add(o upload.Info) {
	a.Objects++
	a.Bytes += o.Size
}

// maxReadings bounds how often a reading of head and what it retains begins again
// because the leader changed head meanwhile.
const maxReadings = 4

// Sweep deletes objects of epochs before head's that no retained checkpoint
// reaches. Those epochs can commit nothing any more, so Sweep needs no lead and may
// run beside a leader. It reads head first and lists objects second. If it cannot
// read head or a manifest, or a listing fails, it deletes nothing. A sweep that was
// cut short is resumed by another one. What it is not permitted to delete it leaves, goes
// on, and fails at the end.
func Sweep(ctx context.Context, store upload.Store, o SweepOptions) (Swept, error) {
	h, reg, err := survivors(ctx, store)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	dead := deadBefore(h.Epoch, rules{})
	if o.DryRun && o.AsIfRetired {
		dead = deadBefore(h.Epoch+1, rules{})
	}
	f, err := survey(ctx, store, reg.keeps, dead, math.MaxInt)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	s := Swept{Epoch: h.Epoch, Stored: f.stored, Orphans: append(f.manifests, f.data...), Uploads: f.uploads, Unknown: f.unknown}
	o = o.withDefaults()
	pace := rate.NewLimiter(rate.Limit(o.DeletesPerSecond), deleteBatch)
	denied, why := 0, error(nil)
	drop := func(ctx context.Context, all []Deletion, do func() error) error {
		if err := pace.WaitN(ctx, len(all)); err != nil {
			return err
		}
		if err := do(); err != nil {
			locked, ok := upload.DeniedNames(err)
			if !ok {
				return err
			}
			// What is locked must not keep the rest.
			denied, why = denied+len(locked), err
			all = slices.DeleteFunc(all, func(d Deletion) bool { return isAmong(d.Name, locked) })
		}
		if o.Deleted != nil {
			o.Deleted(all)
		}
		return nil
	}
	if !o.DryRun {
		if err := s.apply(ctx, store, drop); err != nil {
			return s, fmt.Errorf("sweep: %w", err)
		}
	}
	s.Versions, err = sweepVersions(ctx, store, versionRules{kept: reg.keeps, headsSince: time.Now().Add(-o.HeadVersions)}, o, drop)
	if err != nil {
		return s, fmt.Errorf("sweep: %w", err)
	}
	if denied > 0 {
		return s, fmt.Errorf("sweep: %d of what it found may not be deleted, as objects that are locked; the rest is: %w", denied, why)
	}
	return s, nil
}

// isAmong reports whether a job's name is among names of its store.
func isAmong(name string, full []string) bool {
	return slices.ContainsFunc(full, func(f string) bool { return f == name || strings.HasSuffix(f, "/"+name) })
}

func (o SweepOptions) withDefaults() SweepOptions {
	o.DeletesPerSecond = cmp.Or(o.DeletesPerSecond, DefaultDeletesPerSecond)
	o.HeadVersions = cmp.Or(o.HeadVersions, DefaultHeadVersions)
	return o
}

// apply deletes orphans and ends unfinished uploads.
func (s Swept) apply(ctx context.Context, store upload.Store, drop func(context.Context, []Deletion, func() error) error) error {
	why := func(name string) string {
		ref, ok := owner(name)
		switch {
		case name == incremental.CopyMarkName:
			return "mark of the copy that this job is, and that is finished"
		case !ok:
			return "history of checkpoints, and there is a newer one"
		}
		return fmt.Sprintf("of checkpoint %d of epoch %d, which is not retained, and no retained checkpoint reaches it", ref.ID, ref.Epoch)
	}
	for batch := range slices.Chunk(s.Orphans, deleteBatch) {
		var log []Deletion
		for _, o := range batch {
			log = append(log, Deletion{Name: o.Name, Bytes: o.Size, Why: why(o.Name)})
		}
		if err := drop(ctx, log, func() error { return store.Delete(ctx, names(batch)...) }); err != nil {
			return err
		}
	}
	for _, u := range s.Uploads {
		log := []Deletion{{Name: u, Why: "unfinished upload, " + why(u)}}
		if err := drop(ctx, log, func() error { return store.AbortUpload(ctx, u) }); err != nil {
			return err
		}
	}
	return nil
}

// reading calls read with head, as of one moment: if something that head retains is
// gone because the leader dropped it meanwhile, head has changed, and reading begins
// again. The head is the one that read succeeded with.
func reading(ctx context.Context, store upload.Reader, read func(Head) error) (Head, error) {
	return readingTimes(ctx, store, maxReadings, read)
}

func readingTimes(ctx context.Context, store upload.Reader, most int, read func(Head) error) (Head, error) {
	for try := 1; ; try++ {
		h, etag, err := ReadHead(ctx, store)
		if err != nil {
			return Head{}, err
		}
		err = read(h)
		if err == nil || !errors.Is(err, upload.ErrNotExist) || try == most {
			return h, err
		}
		if _, now, headErr := ReadHead(ctx, store); headErr != nil || now == etag {
			return h, err
		}
	}
}

// survivors registers what head's checkpoints reach, as of one moment.
func survivors(ctx context.Context, r upload.Reader) (h Head, reg *registry, err error) {
	h, err = reading(ctx, r, func(h Head) (err error) {
		reg, err = register(ctx, r, h)
		return err
	})
	return h, reg, err
}

// findings are what a survey of a job's store found.
type findings struct {
	stored, reachable        Amount // up to where it stopped
	manifests, data, unknown []upload.Info
	uploads                  []string
	more                     bool // it stopped at its limit
}

// survey says what was found.
func (f findings) survey(now time.Time) Survey {
	return Survey{now, f.stored, f.reachable, AmountOf(slices.Concat(f.manifests, f.data)), AmountOf(f.unknown)}
}

// doomed names the orphans.
func (f findings) doomed() doomed {
	return doomed{manifests: names(f.manifests), data: names(f.data)}
}

func names(objects []upload.Info) []string {
	all := make([]string, len(objects))
	for i, o := range objects {
		all[i] = o.Name
	}
	return all
}

// survey lists a job's store and picks at most this many orphans, this many
// unknown names and this many uploads. It changes nothing; with an error nothing
// is known.
func survey(ctx context.Context, store upload.Store, kept func(string) bool, dead scope, most int) (f findings, err error) {
	var past histories
	for info, err := range store.List(ctx, "") {
		if err != nil {
			return findings{}, fmt.Errorf("look for orphans: %w", err)
		}
		f.stored.add(info)
		verdict := judge(info.Name, kept, dead)
		if lesser, ok := past.lesser(info); ok {
			info, verdict = lesser, doom
		}
		switch verdict {
		case spare:
			_, checkpoints := owner(info.Name)
			if _, past := history.ParseName(info.Name); !past && (!checkpoints || kept(info.Name)) {
				f.reachable.add(info)
			}
		case doom:
			if len(f.manifests)+len(f.data) == most {
				f.more = true
				return f, nil
			}
			if strings.HasPrefix(info.Name, incremental.ManifestPrefix) {
				f.manifests = append(f.manifests, info)
			} else {
				f.data = append(f.data, info)
			}
		case stranger:
			if len(f.unknown) < most {
				f.unknown = append(f.unknown, info)
			}
		}
	}
	if past.newest.Name != "" {
		f.reachable.add(past.newest)
	}
	for name, err := range store.Uploads(ctx, "") {
		if err != nil {
			return findings{}, fmt.Errorf("look for unfinished uploads: %w", err)
		}
		if ref, ok := owner(name); ok && dead.dead(ref) {
			if len(f.uploads) == most {
				f.more = true
				return f, nil
			}
			f.uploads = append(f.uploads, name)
		}
	}
	return f, nil
}
