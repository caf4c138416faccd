package coordinator

import (
	"context"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// Difference says what changed from one retained checkpoint to another.
type Difference struct {
	incremental.Difference
	// Uploaded is how many bytes the checkpoints after the first one put, up to the
	// second. Zero: it is not the later one.
	Uploaded int64
	// AtLeast: some of those checkpoints are not retained, so Uploaded lacks theirs.
	AtLeast bool
}

// Amplification is how many bytes were put for each byte that the second checkpoint has
// and the first one has not: more than 1 where compaction replaced files that a checkpoint
// between them had put. Zero: not known.
func (d Difference) Amplification() float64 {
	if d.Added.Bytes == 0 {
		return 0
	}
	return float64(d.Uploaded) / float64(d.Added.Bytes)
}

// Diff compares two retained checkpoints. It reads head and their manifests.
func Diff(ctx context.Context, r upload.Reader, a, b checkpoint.ID) (Difference, error) {
	var d Difference
	_, err := reading(ctx, r, func(h Head) error {
		var m [2]*incremental.Manifest
		for i, id := range []checkpoint.ID{a, b} {
			c, ok := h.find(id)
			if !ok {
				return fmt.Errorf("checkpoint %d: %w: retained checkpoints: %s", id, ErrNotRetained, h.ids())
			}
			var err error
			if m[i], err = incremental.ReadManifest(ctx, r, c.ID, c.Epoch); err != nil {
				return err
			}
		}
		d = Difference{Difference: incremental.Diff(m[0], m[1])}
		d.Uploaded, d.AtLeast = uploadedBetween(h, a, b)
		return nil
	})
	if err != nil {
		return Difference{}, fmt.Errorf("compare checkpoints %d and %d: %w", a, b, err)
	}
	return d, nil
}

// uploadedBetween adds up what was put after checkpoint a for b and for those that b was
// built on.
func uploadedBetween(h Head, a, b checkpoint.ID) (n int64, atLeast bool) {
	for id := b; id > a; {
		c, ok := h.find(id)
		if !ok {
			return n, true
		}
		n += c.NewBytes
		id = c.Base
	}
	return n, false
}
