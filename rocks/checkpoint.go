package rocks

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Checkpoint writes what is buffered to disk and makes dir, which must not
// exist and must lie on the same file system, a database of its own that holds
// every write that returned before: immutable files as hard links, the others
// copied. When it fails, dir is gone, the database goes on, and a later
// Checkpoint may succeed.
func (d *DB) Checkpoint(dir string) error {
	if d.closed {
		return d.closedError("checkpoint")
	}
	err := d.checkpoint(dir)
	d.suspect = err != nil
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

func (d *DB) checkpoint(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return &Error{Op: "checkpoint", Dir: d.dir, Message: fmt.Sprintf("%s is in the way", dir), Err: ErrUsage}
	}
	if d.suspect {
		// A flush that failed leaves the database refusing writes; without
		// this it would stay so after the disk has room again.
		if msg := C.tm_resume(cDB(d.db)); msg != nil {
			return failure("resume", d.dir, taken(msg))
		}
	}
	c, err := d.db.NewCheckpoint()
	if err != nil {
		return failure("checkpoint", d.dir, err.Error())
	}
	defer c.Destroy()
	// 0 flushes every column first: without a log there is no other way for
	// what they buffer to get into the checkpoint.
	if err := c.CreateCheckpoint(dir, 0); err != nil {
		return failure("checkpoint", d.dir, err.Error())
	}
	// Options come from this program, and RocksDB opens without its record of
	// them: no reason to carry it to the store with every checkpoint.
	records, err := filepath.Glob(filepath.Join(dir, "OPTIONS-*"))
	if err != nil {
		return &Error{Op: "checkpoint", Dir: d.dir, Message: err.Error(), Err: ErrUsage}
	}
	for _, name := range records {
		if err := os.Remove(name); err != nil {
			return &Error{Op: "checkpoint", Dir: d.dir, Message: err.Error(), Err: ErrIO}
		}
	}
	return nil
}

// Immutable reports whether a file of a checkpoint, by its base name, is one
// that never changes under its name while the database lives.
func (d *DB) Immutable(name string) bool { return strings.HasSuffix(name, ".sst") }
