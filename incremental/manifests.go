package incremental

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// ReadManifest reads the manifest of a checkpoint from a job's store, twice if it is
// damaged. Its error wraps a *CorruptManifestError, ErrNewerVersion, or the store's error.
func ReadManifest(ctx context.Context, r upload.Reader, id checkpoint.ID, e checkpoint.Epoch) (*Manifest, error) {
	return twice(func() (*Manifest, error) { return readManifest(ctx, r, id, e) })
}

func readManifest(ctx context.Context, r upload.Reader, id checkpoint.ID, e checkpoint.Epoch) (*Manifest, error) {
	name := ManifestName(id, e)
	b, _, err := upload.ReadAll(ctx, r, name, MaxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("read manifest of checkpoint %d: %w", id, err)
	}
	m, err := DecodeManifest(b)
	if err != nil {
		if c, ok := errors.AsType[*CorruptManifestError](err); ok {
			c.Object = name
		}
		return nil, fmt.Errorf("read manifest %s: %w", name, err)
	}
	if m.Checkpoint != id || m.Epoch != e {
		return nil, &CorruptManifestError{Object: name, Where: "checkpoint", Err: fmt.Errorf("it is of checkpoint %d, epoch %d", m.Checkpoint, m.Epoch)}
	}
	return m, nil
}

// Written says what a manifest's object holds.
type Written struct {
	Bytes  int64
	CRC32C uint32
}

// WriteManifest encodes m and puts it under its name, which must be free: a
// manifest is never replaced (I7). Where the name is taken by the very same
// bytes, an earlier try of the same write succeeded, and all is well (I6).
func WriteManifest(ctx context.Context, s upload.Store, m *Manifest) (Written, error) {
	b, err := EncodeManifest(m)
	if err != nil {
		return Written{}, err
	}
	name, body := ManifestName(m.Checkpoint, m.Epoch), upload.BodyFromBytes(b)
	w := Written{body.Size, body.CRC32C}
	_, err = s.Put(ctx, name, body, upload.PutOptions{IfAbsent: true})
	if errors.Is(err, upload.ErrPrecondition) {
		if there, _, readErr := upload.ReadAll(ctx, s, name, MaxManifestBytes); readErr == nil && bytes.Equal(there, b) {
			return w, nil
		}
	}
	if err != nil {
		return Written{}, fmt.Errorf("write manifest of checkpoint %d: %w", m.Checkpoint, err)
	}
	return w, nil
}

// CheckJob returns an error that wraps ErrWrongJob unless m is a checkpoint of
// the job.
func (m *Manifest) CheckJob(job string) error {
	if m.Job != job {
		return fmt.Errorf("%w: checkpoint %d belongs to %q, not to %q; look for the store of the job, or name the other job when restoring", ErrWrongJob, m.Checkpoint, m.Job, job)
	}
	return nil
}
