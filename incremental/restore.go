package incremental

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/upload"
)

// twice calls read, and once more if bytes are damaged: they may have been damaged on
// their way.
func twice[T any](read func() (T, error)) (T, error) {
	v, err := read()
	if damagedBytes(err) {
		v, err = read()
	}
	return v, err
}

// Restore calls read, which reads a checkpoint, and once more if bytes are damaged. If a
// restart cannot help, the error wraps checkpoint.ErrUnrestorable.
func Restore[T any](read func() (T, error)) (T, error) {
	v, err := twice(read)
	if damagedBytes(err) || errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrWrongJob) || errors.Is(err, ErrCannotRestore) {
		err = fmt.Errorf("%w: %w", checkpoint.ErrUnrestorable, err)
	}
	return v, err
}

// damagedBytes reports whether err says that stored bytes are wrong or gone.
func damagedBytes(err error) bool {
	var manifest *CorruptManifestError
	return errors.As(err, &manifest) || errors.Is(err, ErrCorruptState) ||
		errors.Is(err, upload.ErrCorrupt) || errors.Is(err, upload.ErrNotExist)
}

// CheckRestorable fails if m holds something that the format has a place for and this
// program cannot restore, since it would be lost, or state that a newer local store than
// local wrote. The error wraps ErrCannotRestore and names it. Factory.Open checks the
// handles again.
func (m *Manifest) CheckRestorable(local BackendInfo) error {
	if len(m.Sources) > 0 {
		return fmt.Errorf("%w: checkpoint %d has an enumerator of source %q", ErrCannotRestore, m.Checkpoint, m.Sources[0].Operator)
	}
	for _, s := range m.Subtasks {
		for what, n := range map[string]int{"splits": len(s.Splits), "watermarks and fired times": len(s.Progress), "records in flight": len(s.InFlight)} {
			if n > 0 {
				return fmt.Errorf("%w: subtask %s/%d of checkpoint %d has %s", ErrCannotRestore, s.Operator, s.Index, m.Checkpoint, what)
			}
		}
		if s.Keyed == nil {
			continue
		}
		if err := s.Keyed.checkRestorable(local); err != nil {
			return fmt.Errorf("subtask %s/%d of checkpoint %d: %w", s.Operator, s.Index, m.Checkpoint, err)
		}
	}
	return nil
}

// checkRestorable is CheckRestorable of a handle.
func (h *Handle) checkRestorable(local BackendInfo) error {
	if err := local.reads(h.Backend); err != nil {
		return err
	}
	for _, d := range h.States {
		if d.Kind > state.KindAggregating {
			return fmt.Errorf("%w: state %q holds %v", ErrCannotRestore, d.Name, d.Kind)
		}
	}
	for _, o := range h.Objects {
		if o.Place != (Place{}) {
			return fmt.Errorf("%w: object %s belongs to job %q", ErrCannotRestore, o.Name, o.Place.Job)
		}
	}
	for i, s := range h.Shards {
		if s.Instance != 0 || i > 0 && h.Shards[i-1].State == s.State {
			return fmt.Errorf("%w: state %q lies in several shards", ErrCannotRestore, s.State)
		}
	}
	for _, f := range h.Files {
		if f.Instance != 0 {
			return fmt.Errorf("%w: file %s belongs to a database of its own", ErrCannotRestore, f.Name)
		}
	}
	if len(h.Auxiliary) > 0 {
		return fmt.Errorf("%w: state %q has a file for %s", ErrCannotRestore, h.Auxiliary[0].State, h.Auxiliary[0].Purpose)
	}
	return nil
}

// reads fails if a local store of a newer release than b, or of another name, wrote the
// files. A local store opens what its older releases wrote, and promises nothing of what
// newer ones write. A zero b reads everything.
func (b BackendInfo) reads(files BackendInfo) error {
	switch {
	case b == BackendInfo{} || files == BackendInfo{}:
		return nil
	case files.Name != b.Name:
		return fmt.Errorf("%w: its state was written by %s, and this program keeps state in %s", ErrCannotRestore, files.Name, b.Name)
	}
	var is, was [2]int // the release: "9.10.0" is of 9.10
	_, unknown := fmt.Sscanf(files.Version, "%d.%d", &was[0], &was[1])
	_, err := fmt.Sscanf(b.Version, "%d.%d", &is[0], &is[1])
	if err := errors.Join(unknown, err); err != nil {
		return fmt.Errorf("%w: its state was written by %s %q, and this program has %q: %w", ErrCannotRestore, files.Name, files.Version, b.Version, err)
	}
	if slices.Compare(was[:], is[:]) > 0 || files.Format > b.Format {
		return fmt.Errorf("%w: its state was written by %s %s (table format %d), and this program has %s (%d), which does not read what newer ones write: build it with %s %d.%d or newer",
			ErrCannotRestore, files.Name, files.Version, files.Format, b.Version, b.Format, files.Name, was[0], was[1])
	}
	return nil
}
