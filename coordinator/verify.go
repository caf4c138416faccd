package coordinator

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
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
	h, _, err := ReadHead(ctx, r)
	return !h.has(of.Ref()), err
}

// UnlessDropped returns err, which reading a listed checkpoint ended in. If the job has
// dropped the checkpoint since it was listed, nothing is damaged, and the error wraps
// ErrNotRetained instead. It reads head only where there is an error.
func UnlessDropped(ctx context.Context, r upload.Reader, of CheckpointInfo, err error) error {
	if err == nil {
		return nil
	}
	if gone, listErr := isDropped(ctx, r, of); listErr == nil && gone {
		return fmt.Errorf("checkpoint %v: %w: the job dropped it meanwhile: pin it first, or read another", of.ID, ErrNotRetained)
	}
	return err
}

// NewestWhole returns the newest retained checkpoint of which every object is there with
// its size; false: there is none. In a copy of a store whose objects came in any order,
// head may be ahead of them.
func NewestWhole(ctx context.Context, r upload.Reader) (checkpoint.ID, bool, error) {
	infos, err := List(ctx, r)
	if err != nil {
		return 0, false, err
	}
	slices.Reverse(infos)
	for v, err := range Verify(ctx, r, infos, incremental.VerifyOptions{Unread: 1}) {
		if err != nil {
			return 0, false, err
		}
		if v.OK() {
			return v.ID, true, nil
		}
	}
	return 0, false, nil
}
