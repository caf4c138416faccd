package incremental

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// Restore calls read, which reads a checkpoint, and calls it once more if the
// bytes are damaged: those that were flipped on their way are whole the second
// time. An error that no restart mends wraps checkpoint.ErrUnrestorable.
func Restore[T any](read func() (T, error)) (T, error) {
	v, err := read()
	if damagedBytes(err) {
		v, err = read()
	}
	if damagedBytes(err) || errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrWrongJob) {
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
