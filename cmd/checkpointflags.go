package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// checkpointFlags are the flags that all verbs of checkpoints share.
type checkpointFlags struct {
	store cli.StoreFlags
	json  bool
}

// open opens the store of a URL for reading.
func (f *checkpointFlags) open(ctx context.Context, url string) (upload.Reader, error) {
	return f.openStore(ctx, url)
}

// openStore opens the store of a URL.
func (f *checkpointFlags) openStore(ctx context.Context, url string) (upload.Store, error) {
	return f.openWith(ctx, url, storeurl.Options{})
}

func (f *checkpointFlags) openWith(ctx context.Context, url string, o storeurl.Options) (upload.Store, error) {
	o.S3, o.Limits = f.store.Options(), f.store.Limits
	s, err := storeurl.Open(ctx, url, o)
	if errors.Is(err, upload.ErrNoBucket) && besideJobs(url) {
		return nil, fmt.Errorf("%s: %w: name it as <store>/<job-id>", url, coordinator.ErrNoJob)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint store %s: %w", url, err)
	}
	return s, nil
}

// chosen returns the checkpoint that the arguments name.
func chosen(infos []coordinator.CheckpointInfo, args []string) (coordinator.CheckpointInfo, error) {
	if len(infos) == 0 {
		return coordinator.CheckpointInfo{}, fmt.Errorf("%s has no checkpoint yet", args[0])
	}
	if len(args) == 1 {
		return infos[len(infos)-1], nil
	}
	id, err := checkpointID(args[1])
	if err != nil {
		return coordinator.CheckpointInfo{}, err
	}
	var have []string
	for _, i := range infos {
		if i.ID == id {
			return i, nil
		}
		have = append(have, i.ID.String())
	}
	return coordinator.CheckpointInfo{}, fmt.Errorf("checkpoint %d is not retained in %s: retained checkpoints: %s", id, args[0], strings.Join(have, ", "))
}

func checkpointID(s string) (checkpoint.ID, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, cli.Usage(fmt.Errorf("checkpoint %q: give its number", s))
	}
	return checkpoint.ID(id), nil
}

// noJob explains the error of reading a job: there may be no head, because it was lost or
// because there is no job.
func noJob(ctx context.Context, r upload.Reader, err error) error {
	if !errors.Is(err, coordinator.ErrNoHead) {
		return err
	}
	switch err := coordinator.Headless(ctx, r); {
	case errors.Is(err, coordinator.ErrHeadMissing):
		return cli.Damaged(fmt.Errorf("%v: %w", r, err))
	case errors.Is(err, coordinator.ErrNoJob):
		return fmt.Errorf("%v: %w: name it as <store>/<job-id>", r, err)
	default:
		return err
	}
}
