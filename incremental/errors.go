package incremental

import (
	"errors"
	"fmt"
)

// Errors of this package, wrapped by what is returned.
var (
	// ErrNewerVersion: a newer program wrote the manifest.
	ErrNewerVersion = errors.New("manifest format is newer than this program")
	// ErrWrongJob: the manifest belongs to another job.
	ErrWrongJob = errors.New("manifest of another job")
	// ErrCorruptState: bytes of keyed state are missing or are not those that
	// were written.
	ErrCorruptState = errors.New("corrupt state")
	// ErrInUse: another process, or another Factory, has the directory for local
	// state. It was not disturbed.
	ErrInUse = errors.New("local state is in use")
	// ErrForeignDir: a directory for local state holds something else. Nothing
	// in it was changed.
	ErrForeignDir = errors.New("not a directory of local state")
	// ErrCannotRestore: a checkpoint holds something that this program cannot restore.
	ErrCannotRestore = errors.New("this program cannot restore it")
	// ErrHandle: bytes are no encoded handle.
	ErrHandle = errors.New("handle is not readable")
	// ErrHandleSize: a handle exceeds MaxHandleBytes.
	ErrHandleSize = errors.New("handle is too large")
	// ErrClosed: the backend was closed.
	ErrClosed = errors.New("backend is closed")
)

// CorruptManifestError says that a manifest is damaged. Then nobody knows what the
// checkpoint reaches, and nothing may be deleted because of it.
type CorruptManifestError struct {
	Object string // name of the manifest; empty if it was not read from a store
	Where  string // part of the manifest, such as "header" or "subtask count/3"
	Err    error
}

// Error says what is wrong, where, and what to do.
func (e *CorruptManifestError) Error() string {
	name := e.Object
	if name == "" {
		name = "manifest"
	}
	return fmt.Sprintf("%s is corrupt: %s: %v; restore from another checkpoint and keep this one for inspection", name, e.Where, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptManifestError) Unwrap() error { return e.Err }

// CorruptStateError says which bytes of keyed state are not what their handle
// says. It wraps ErrCorruptState, and upload.ErrNotExist where the object is
// missing.
type CorruptStateError struct {
	Object string // where the bytes lie
	File   string // the local store's name of them; empty: the whole object
	Err    error
}

// Error says what is wrong, where, and what to do.
func (e *CorruptStateError) Error() string {
	what := e.Object
	if e.File != "" {
		what = fmt.Sprintf("file %s in %s", e.File, e.Object)
	}
	return fmt.Sprintf("%v: %s: %v; restore from another checkpoint, and keep the object for inspection", ErrCorruptState, what, e.Err)
}

// Unwrap returns ErrCorruptState and the cause.
func (e *CorruptStateError) Unwrap() []error { return []error{ErrCorruptState, e.Err} }
