package launch

import (
	"context"
	"errors"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// reads is how often what looks damaged is read: bytes that were flipped on
// their way are whole the second time.
const reads = 2

// damaged reports whether err says that stored bytes are wrong, gone, or not
// for this program.
func damaged(err error) bool {
	var manifest *incremental.CorruptManifestError
	return errors.As(err, &manifest) || errors.Is(err, incremental.ErrCorruptState) ||
		errors.Is(err, upload.ErrCorrupt) || errors.Is(err, upload.ErrNotExist)
}

// settled marks an error of a restore that no restart mends: a person has to
// choose what to start from.
func settled(err error) error {
	if damaged(err) || errors.Is(err, incremental.ErrNewerVersion) || errors.Is(err, incremental.ErrWrongJob) || errors.Is(err, coordinator.ErrNotRetained) {
		return engine.Permanent(err)
	}
	return err
}

// restoring is a coordinator that tells what attempts start from, and whose
// errors end the job where a restart would only meet them again.
type restoring struct {
	*coordinator.Coordinator
	starting func(Start)
}

// Attach implements checkpoint.Coordinator.
func (c restoring) Attach(ctx context.Context, graph checkpoint.Graph, attempt checkpoint.Attempt) (r *checkpoint.Restored, err error) {
	for range reads {
		if r, err = c.Coordinator.Attach(ctx, graph, attempt); !damaged(err) {
			break
		}
	}
	if err != nil {
		return nil, settled(err)
	}
	if c.starting != nil {
		s := Start{Attempt: uint64(attempt)}
		if r != nil {
			s.Checkpoint, s.Final = uint64(r.Checkpoint), r.Final
		}
		c.starting(s)
	}
	return r, nil
}

// Start is what an attempt starts from.
type Start struct {
	Attempt    uint64 // 1 is the first of this run
	Checkpoint uint64 // zero: from nothing
	Final      bool   // the checkpoint is that of the input's end: nothing is left to do
}

// settling opens backends, and its errors end the job where a restart would
// only meet them again.
type settling struct{ state.Factory }

// Open implements state.Factory.
func (f settling) Open(ctx context.Context, r state.OpenRequest) (b state.Backend, err error) {
	for range reads {
		if b, err = f.Factory.Open(ctx, r); !damaged(err) {
			break
		}
	}
	return b, settled(err)
}
