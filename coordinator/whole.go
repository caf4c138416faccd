package coordinator

import (
	"context"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

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
		if v.OK() && !v.Dropped {
			return v.ID, true, nil
		}
	}
	return 0, false, nil
}
