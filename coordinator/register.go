package coordinator

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// ReadHead reads a job's head and its ETag. The error wraps ErrNoHead if there
// is none, and ErrHeadFormat if it cannot be decoded: it was read twice then, since bytes
// may be damaged on their way.
func ReadHead(ctx context.Context, r upload.Reader) (Head, string, error) {
	h, etag, err := readHeadOnce(ctx, r)
	if errors.Is(err, ErrHeadFormat) || errors.Is(err, upload.ErrCorrupt) {
		h, etag, err = readHeadOnce(ctx, r)
	}
	return h, etag, err
}

func readHeadOnce(ctx context.Context, r upload.Reader) (Head, string, error) {
	b, info, err := upload.ReadAll(ctx, r, incremental.HeadName, MaxHeadBytes)
	if errors.Is(err, upload.ErrNotExist) {
		return Head{}, "", fmt.Errorf("%w: %w", ErrNoHead, err)
	}
	if err != nil {
		return Head{}, "", fmt.Errorf("read head: %w", err)
	}
	h, err := DecodeHead(b)
	if err != nil {
		return Head{}, "", fmt.Errorf("read %s/%s: %w", r, incremental.HeadName, err)
	}
	return h, info.Version, nil
}

// Headless says what it means that a job has no head: its error wraps ErrHeadMissing if
// there are objects of the job, and ErrNoJob if there is nothing.
func Headless(ctx context.Context, r upload.Reader) error {
	found, err := anyObject(ctx, r)
	switch {
	case err != nil:
		return err
	case found != "":
		return headMissing(found)
	}
	return ErrNoJob
}

func headMissing(found string) error {
	if found == incremental.CopyMarkName {
		return fmt.Errorf("%w: nothing was changed; copy it again, which goes on, or delete all below it", ErrCopyUnfinished)
	}
	return fmt.Errorf("%w, but there is %s: nothing was created or deleted; put back head (a bucket with versions has it)", ErrHeadMissing, found)
}

// anyObject returns the name of a manifest, a data object or a history, or of the mark of
// the copy that it is of; empty if there is none.
func anyObject(ctx context.Context, r upload.Reader) (string, error) {
	for _, prefix := range []string{incremental.ManifestPrefix, incremental.DataPrefix, history.Prefix} {
		for info, err := range r.List(ctx, prefix) {
			if err != nil {
				return "", err
			}
			if _, err := r.Head(ctx, incremental.CopyMarkName); !errors.Is(err, upload.ErrNotExist) {
				return incremental.CopyMarkName, err
			}
			return info.Name, nil
		}
	}
	return "", nil
}

func (c *Coordinator) readHead(ctx context.Context) headRead {
	h, etag, err := ReadHead(ctx, c.o.Store)
	if errors.Is(err, upload.ErrNotExist) {
		return headRead{absent: true}
	}
	return headRead{head: h, etag: etag, err: err}
}

// probe looks for a manifest or data object. If a head has appeared meanwhile, that is
// the answer instead.
func (c *Coordinator) probe(ctx context.Context) event {
	found, err := anyObject(ctx, c.o.Store)
	if err != nil {
		return probed{err: fmt.Errorf("check whether the job is new: %w", err)}
	}
	if found != "" {
		if h := c.readHead(ctx); !h.absent {
			return h
		}
	}
	return probed{found: found}
}

func (c *Coordinator) swapHead(ctx context.Context, a swapHead) swapped {
	b, err := EncodeHead(a.head)
	if err != nil {
		return swapped{outcome: denied, err: err}
	}
	info, err := c.o.Store.Put(ctx, incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{IfAbsent: a.etag == "", IfMatch: a.etag})
	switch {
	case err == nil:
		return swapped{outcome: won, etag: info.Version}
	case errors.Is(err, upload.ErrPrecondition):
		return swapped{outcome: refused, err: err}
	case upload.Refused(err):
		return swapped{outcome: denied, err: checkpoint.Refused(err)}
	}
	return swapped{outcome: unknown, err: err}
}
