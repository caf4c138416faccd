package coordinator

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Verified is what was found of a checkpoint.
type Verified struct {
	CheckpointInfo
	incremental.VerifyReport
	// Dropped: its job dropped the checkpoint meanwhile, so what is missing may have been
	// deleted rightly.
	Dropped bool
}

// Verify verifies retained checkpoints of a job, one after the other, and reads what they
// share once. It ends at the first error. It may run beside a leader.
func Verify(ctx context.Context, r upload.Reader, infos []CheckpointInfo, o incremental.VerifyOptions) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		v := incremental.NewVerifier(r, o)
		for _, info := range infos {
			found := Verified{CheckpointInfo: info}
			report, err := v.Checkpoint(ctx, info.ID, info.Epoch)
			if err == nil && !report.OK() {
				found.Dropped, err = isDropped(ctx, r, info)
			}
			if err != nil {
				yield(found, fmt.Errorf("checkpoint %v: %w", info.ID, err))
				return
			}
			found.VerifyReport = *report
			if !yield(found, nil) {
				return
			}
		}
	}
}

// isDropped reports whether head has lost a checkpoint since it was listed.
func isDropped(ctx context.Context, r upload.Reader, of CheckpointInfo) (bool, error) {
	infos, err := List(ctx, r)
	return !slices.ContainsFunc(infos, func(i CheckpointInfo) bool { return i.Manifest == of.Manifest }), err
}
