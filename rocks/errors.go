package rocks

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Errors of a database, wrapped by an *Error.
var (
	// ErrCorruption: bytes on disk are not those that were written.
	ErrCorruption = errors.New("corruption")
	// ErrNoSpace: the disk, or the quota, is full.
	ErrNoSpace = errors.New("no space left on the local disk")
	// ErrIO: the disk failed in another way.
	ErrIO = errors.New("i/o error")
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("database is closed")
	// ErrBusy: the database cannot do that now; it may later.
	ErrBusy = errors.New("busy")
	// ErrUsage: the caller asked for something that the database cannot do.
	ErrUsage = errors.New("invalid use")
)

// Error says what failed on which database.
type Error struct {
	Op      string // "open", "get", "flush", …
	Dir     string // of the database
	Message string // RocksDB's or the system's text; may be empty
	Err     error  // one of the errors above
}

// Error renders "rocksdb get /dir: corruption: message".
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("rocksdb %s %s: %v", e.Op, e.Dir, e.Err)
	}
	return fmt.Sprintf("rocksdb %s %s: %v: %s", e.Op, e.Dir, e.Err, e.Message)
}

// Unwrap returns the class of the error.
func (e *Error) Unwrap() error { return e.Err }

// failure makes an *Error of a RocksDB status as its library renders it.
func failure(op, dir, status string) error {
	return &Error{Op: op, Dir: dir, Message: status, Err: classify(status)}
}

// classifyOS maps an error of the operating system to one of this package.
func classifyOS(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ErrNoSpace
	}
	return ErrIO
}

// classify maps RocksDB's status to an error of this package. A status begins
// with its code; an I/O error's subcode stands behind it.
func classify(status string) error {
	code, rest, _ := strings.Cut(status, ":")
	switch code {
	case "Corruption":
		return ErrCorruption
	case "IO error":
		for _, full := range []string{"No space left", "Max allowed space", "Disk quota"} {
			if strings.Contains(rest, full) {
				return ErrNoSpace
			}
		}
		return ErrIO
	case "Shutdown in progress":
		return ErrClosed
	case "Resource busy", "Operation aborted", "Operation timed out", "Operation failed. Try again.", "Result incomplete":
		return ErrBusy
	case "Invalid argument", "Not implemented", "NotFound", "Operation expired", "Column family dropped":
		return ErrUsage
	}
	return ErrIO
}
