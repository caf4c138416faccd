package coordinator

import (
	"context"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Jobs returns the names of the jobs below a store: the prefixes that have a
// head.
func Jobs(ctx context.Context, store upload.Reader) ([]string, error) {
	var jobs []string
	for info, err := range store.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if job, ok := strings.CutSuffix(info.Name, "/"+incremental.HeadName); ok {
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

// Inspect reads the manifest of a retained checkpoint. It also returns, for each of
// its objects by name, which of the other checkpoints reach it.
func Inspect(ctx context.Context, r upload.Reader, of CheckpointInfo, others []CheckpointInfo) (*incremental.Manifest, map[string][]checkpoint.ID, error) {
	m, err := incremental.ReadManifest(ctx, r, of.ID, of.Epoch)
	if err != nil {
		return nil, nil, err
	}
	shared := map[string][]checkpoint.ID{}
	for _, other := range others {
		if other.ID == of.ID {
			continue
		}
		om, err := incremental.ReadManifest(ctx, r, other.ID, other.Epoch)
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
