package rocks

// #include "shim.h"
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/linxGnu/grocksdb"
	"golang.org/x/sys/unix"
)

// spareBytes is what a local checkpoint needs on disk beside the buffered
// entries.
const spareBytes = 256 << 10

// copyTo makes dir a copy of the database, write buffers included.
func (s flusher) copyTo(dir string) error {
	c, err := s.db.NewCheckpoint()
	if err != nil {
		return failure("checkpoint", s.dir, err.Error())
	}
	defer c.Destroy()
	C.tm_await_flushes(cDB(s.db))
	// 0 flushes every column first: without a log there is no other way for
	// what they buffer to get into the checkpoint.
	if err := c.CreateCheckpoint(dir, 0); err != nil {
		return failure("checkpoint", s.dir, err.Error())
	}
	if err := strip(dir); err != nil {
		return &Error{Op: "checkpoint", Dir: s.dir, Message: err.Error(), Err: ErrIO}
	}
	return nil
}

// strip removes from a local checkpoint what no restore needs. Options come from this
// program, whether RocksDB recorded them (files.cc) or not. Nothing is written to the
// log, and RocksDB 9 and later copy the empty file.
func strip(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		remove := strings.HasPrefix(e.Name(), "OPTIONS-")
		if filepath.Ext(e.Name()) == ".log" {
			info, err := e.Info()
			if err != nil {
				return err
			}
			remove = info.Size() == 0
		}
		if !remove {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Immutable reports whether a file of a local checkpoint, given by its base name,
// never changes under that name while the database lives. Any goroutine may call
// it.
func (d *DB) Immutable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// roomFor fails if the disk may be too full for entries of that size and the
// content of the write buffers. If RocksDB runs out of space by itself, it refuses
// all writes until there is room, and some seconds longer. So it is better not to
// try a checkpoint than to let it fail (I11).
func (s flusher) roomFor(handles []*grocksdb.ColumnFamilyHandle, entryBytes int64) error {
	need := entryBytes + spareBytes
	for _, h := range handles {
		n, _ := s.db.GetIntPropertyCF("rocksdb.cur-size-all-mem-tables", h)
		need += int64(n)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return &Error{Op: "checkpoint", Dir: s.dir, Message: err.Error(), Err: ErrIO}
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return &Error{Op: "checkpoint", Dir: s.dir, Message: fmt.Sprintf("%d bytes are free, and up to %d are needed", free, need), Err: ErrNoSpace}
	}
	return nil
}
