package coordinator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// SweepOptions say how a sweep goes.
type SweepOptions struct {
	// DryRun says to find orphans and to delete nothing.
	DryRun bool
}

// Swept is what a sweep found.
type Swept struct {
	Epoch   checkpoint.Epoch // head's: objects of it, and of later ones, are left alone
	Orphans []string         // deleted, unless it was a dry run
	Uploads []string         // unfinished multipart uploads; ended, unless it was a dry run
	Unknown []string         // names that are not the job's; left alone
}

// maxSweepTries bounds how often a sweep begins again because the leader changed
// head meanwhile.
const maxSweepTries = 4

// Sweep deletes objects of epochs before head's that no retained checkpoint
// reaches. Those epochs can commit nothing any more, so Sweep needs no lead and may
// run beside a leader. It reads head first and lists objects second. If it cannot
// read head or a manifest, or a listing fails, it deletes nothing.
func Sweep(ctx context.Context, store upload.Store, o SweepOptions) (Swept, error) {
	h, reg, err := survivors(ctx, store)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	f, err := survey(ctx, store, reg.keeps, deadBefore(h.Epoch, rules{}), math.MaxInt)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	s := Swept{h.Epoch, append(f.manifests, f.data...), f.uploads, f.unknown}
	if o.DryRun {
		return s, nil
	}
	if err := store.Delete(ctx, s.Orphans...); err != nil {
		return s, fmt.Errorf("sweep: %w", err)
	}
	for _, u := range f.uploads {
		if err := store.AbortUpload(ctx, u); err != nil {
			return s, fmt.Errorf("sweep: %w", err)
		}
	}
	return s, nil
}

// survivors reads head and the manifests of its checkpoints, as of one moment. If a
// manifest is gone because the leader dropped it meanwhile, head has changed, and
// survivors reads it again.
func survivors(ctx context.Context, store upload.Store) (Head, *registry, error) {
	for try := 1; ; try++ {
		h, etag, err := ReadHead(ctx, store)
		if err != nil {
			return Head{}, nil, err
		}
		reg, err := register(ctx, store, h)
		if err == nil || !errors.Is(err, upload.ErrNotExist) || try == maxSweepTries {
			return h, reg, err
		}
		if _, now, headErr := ReadHead(ctx, store); headErr != nil || now == etag {
			return h, nil, err
		}
	}
}

// findings are what a survey of a job's store found.
type findings struct {
	doomed
	unknown, uploads []string
	more             bool // it stopped at its limit
}

// survey lists a job's store and picks at most this many orphans, this many
// unknown names and this many uploads. It changes nothing; with an error nothing
// is known.
func survey(ctx context.Context, store upload.Store, kept func(string) bool, dead scope, most int) (f findings, err error) {
	for info, err := range store.List(ctx, "") {
		if err != nil {
			return findings{}, fmt.Errorf("look for orphans: %w", err)
		}
		switch judge(info.Name, kept, dead) {
		case doom:
			if len(f.manifests)+len(f.data) == most {
				f.more = true
				return f, nil
			}
			if strings.HasPrefix(info.Name, incremental.ManifestPrefix) {
				f.manifests = append(f.manifests, info.Name)
			} else {
				f.data = append(f.data, info.Name)
			}
		case stranger:
			if len(f.unknown) < most {
				f.unknown = append(f.unknown, info.Name)
			}
		}
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
