package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// CheckpointInfo describes a retained checkpoint.
type CheckpointInfo struct {
	ID        checkpoint.ID
	Epoch     checkpoint.Epoch
	Base      checkpoint.ID // zero: none
	Kind      checkpoint.Kind
	Triggered time.Time
	Created   time.Time
	Duration  time.Duration // from the trigger until all had acknowledged
	FullBytes int64
	NewBytes  int64
	KeptBy    []string
	Manifest  string // name in the job's store
}

// List describes the retained checkpoints by rising id, from head alone. It
// fails with upload.ErrNotExist where the job has no head.
func List(ctx context.Context, r upload.Reader) ([]CheckpointInfo, error) {
	h, _, err := ReadHead(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	infos := make([]CheckpointInfo, 0, len(h.Retained))
	for _, c := range h.Retained {
		infos = append(infos, CheckpointInfo{
			ID: c.ID, Epoch: c.Epoch, Base: c.Base, Kind: checkpoint.Kind(c.Kind), Triggered: c.Triggered, Created: c.Created,
			Duration: c.Created.Sub(c.Triggered), FullBytes: c.FullBytes, NewBytes: c.NewBytes, KeptBy: c.KeptBy, Manifest: manifestName(c.Ref()),
		})
	}
	return infos, nil
}

// Reachable returns every object of the job that must not be deleted, head
// itself excluded, and who keeps it: "41", "pin:release-3", "claim:other". It
// fails where a retained manifest cannot be read, since what is reachable is
// not known then.
func Reachable(ctx context.Context, r upload.Reader) (map[string][]string, error) {
	h, _, err := ReadHead(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("look for reachable objects: %w", err)
	}
	reg, err := register(ctx, r, h)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(reg.keepers))
	for o := range reg.keepers {
		out[o] = reg.keptBy(o)
	}
	return out, nil
}

// register reads the manifests of all that head retains.
func register(ctx context.Context, r upload.Reader, h Head) (*registry, error) {
	reg := newRegistry()
	for _, c := range h.Retained {
		m, err := incremental.ReadManifest(ctx, r, c.ID, c.Epoch)
		if err != nil {
			return nil, fmt.Errorf("what retained checkpoint %d reaches is not known: %w", c.ID, err)
		}
		keepers := []string{c.ID.String()}
		for _, t := range h.Tags {
			if t.Checkpoint == c.ID {
				keepers = append(keepers, "tag:"+t.Name)
			}
		}
		for _, p := range h.Pins {
			if p.Checkpoint == c.ID {
				keepers = append(keepers, "pin:"+p.Name)
			}
		}
		for _, l := range h.Claims {
			if l.Checkpoint == c.ID {
				keepers = append(keepers, "claim:"+l.Job)
			}
		}
		for _, k := range keepers {
			if err := reg.register(k, reach(m)); err != nil {
				return nil, err
			}
		}
	}
	return reg, nil
}

// SweepOptions say how a sweep goes.
type SweepOptions struct {
	// DryRun: find, but delete nothing.
	DryRun bool
}

// Swept is what a sweep found.
type Swept struct {
	Epoch   checkpoint.Epoch // that head had; nothing of it or later was touched
	Orphans []string         // deleted, unless it was a dry run
	Uploads []string         // unfinished multipart uploads; ended, unless …
	Unknown []string         // names that are none of the job's; left alone
}

// maxSweepTries bounds how often a sweep begins anew because the job went on
// meanwhile.
const maxSweepTries = 4

// Sweep deletes what no retained checkpoint reaches and dead epochs left
// behind. It does not lead, and may run beside a leader: it reads head first,
// lists second, and touches only objects of epochs before head's, which can
// commit nothing any more. Where head or a manifest cannot be read, or a
// listing fails, nothing is deleted.
func Sweep(ctx context.Context, store upload.Store, o SweepOptions) (Swept, error) {
	h, reg, err := survivors(ctx, store)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	dead := deadBefore(h.Epoch, rules{})
	f, err := survey(ctx, store, func(o string) bool { return len(reg.keepers[o]) > 0 }, dead)
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	s := Swept{h.Epoch, f.doomed, f.uploads, f.unknown}
	if o.DryRun {
		return s, nil
	}
	if err := store.Delete(ctx, f.doomed...); err != nil {
		return s, fmt.Errorf("sweep: %w", err)
	}
	for _, u := range f.uploads {
		if err := store.AbortUpload(ctx, u); err != nil {
			return s, fmt.Errorf("sweep: %w", err)
		}
	}
	return s, nil
}

// survivors reads head and what it keeps, as of one moment: where a manifest
// is gone because the leader dropped it meanwhile, head has changed.
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
