package coordinator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Jobs returns the sorted names of the jobs below a store: the prefixes that have a head,
// a manifest or a data object. One without head has lost it.
func Jobs(ctx context.Context, store upload.Reader) ([]string, error) {
	jobs := map[string]bool{}
	for info, err := range store.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if job, ok := jobOf(info.Name); ok {
			jobs[job] = true
		}
	}
	return slices.Sorted(maps.Keys(jobs)), nil
}

// jobOf returns the job that an object belongs to by its name.
func jobOf(name string) (job string, ok bool) {
	if job, ok = strings.CutSuffix(name, "/"+incremental.HeadName); ok {
		return job, true
	}
	for _, prefix := range []string{incremental.ManifestPrefix, incremental.DataPrefix} {
		if at := strings.LastIndex(name, "/"+prefix); at >= 0 {
			_, ok := owner(name[at+1:])
			return name[:at], ok
		}
	}
	return "", false
}

// Inspect reads the manifest of a retained checkpoint. It also returns, for each of
// its objects by name, which of the other checkpoints reach it.
func Inspect(ctx context.Context, r upload.Reader, of CheckpointInfo, others []CheckpointInfo) (*incremental.Manifest, map[string][]checkpoint.ID, error) {
	m, err := incremental.ReadManifest(ctx, r, of.ID, of.Epoch)
	if err != nil {
		return nil, nil, UnlessDropped(ctx, r, of, err)
	}
	shared := map[string][]checkpoint.ID{}
	for _, other := range others {
		if other.ID == of.ID {
			continue
		}
		om, err := incremental.ReadManifest(ctx, r, other.ID, other.Epoch)
		if err = UnlessDropped(ctx, r, other, err); errors.Is(err, ErrNotRetained) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		theirs := om.Objects()
		for name := range m.Objects() {
			if _, ok := theirs[name]; ok {
				shared[name] = append(shared[name], other.ID)
			}
		}
	}
	return m, shared, nil
}
