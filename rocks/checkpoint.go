package rocks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// spareBytes is what a checkpoint needs on disk beside the write buffers.
const spareBytes = 2 * manifestBytes

// Checkpoint writes what is buffered to disk and makes dir, which must not
// exist and must lie on the same file system, a database of its own that holds
// every write that returned before: immutable files as hard links, the others
// copied. When it fails, dir is gone, the database goes on, and a later
// Checkpoint may succeed.
func (d *DB) Checkpoint(dir string) error {
	if d.closed {
		return d.closedError("checkpoint")
	}
	if err := d.checkpoint(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return nil
}

func (d *DB) checkpoint(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return &Error{Op: "checkpoint", Dir: d.dir, Message: fmt.Sprintf("%s is in the way", dir), Err: ErrUsage}
	}
	if err := d.roomToFlush(); err != nil {
		return err
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

// roomToFlush fails where the disk may be too full for what is buffered. Once
// RocksDB has found that out by itself it refuses all writes until there is
// room, and then some seconds more: a checkpoint that is not even tried does
// less harm than one that fails (I11).
func (d *DB) roomToFlush() error {
	need := int64(spareBytes)
	for _, h := range d.handles {
		n, _ := d.db.GetIntPropertyCF("rocksdb.cur-size-all-mem-tables", h)
		need += int64(n)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(d.dir, &fs); err != nil {
		return &Error{Op: "checkpoint", Dir: d.dir, Message: err.Error(), Err: ErrIO}
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return &Error{Op: "checkpoint", Dir: d.dir, Message: fmt.Sprintf("%d bytes are free, and up to %d are needed", free, need), Err: ErrNoSpace}
	}
	return nil
}
