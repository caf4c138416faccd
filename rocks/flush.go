package rocks

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/rocks/table"
)

const (
	// fileEntries is the number of entries from which on a file of their own costs
	// less than the write buffer.
	fileEntries = 256
	// flushBytes is about how many bytes one call passes to RocksDB.
	flushBytes = 256 << 10
	// flushName is the directory of files that are to become part of the database.
	flushName = "flush"
)

// flusher writes flushes to RocksDB. Any goroutine may use it.
type flusher struct {
	dir     string
	db      *grocksdb.DB
	options *grocksdb.Options
	disk    diskSettings
	expiry  *expiry
	// contents describes the local checkpoints that were made.
	contents *contents
}

// Write implements table.Below: many entries as a file, few through the write
// buffer.
func (f family) Write(e *table.Entries) error {
	switch n := e.Len(); {
	case n == 0:
		return nil
	case n >= fileEntries || e.Bytes() >= flushBytes || e.DeletesRows(): // a file is written piece by piece
		return f.writeFile(e)
	}
	var all []byte
	r, err := f.encode(e, math.MaxInt, func(entries []byte) error {
		all = entries
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.prepare(r); err != nil {
		return err
	}
	return e.Publish(func() error {
		if msg := C.tm_write(cDB(f.db), cColumn(f.handle), bytesOf(all), C.size_t(len(all))); msg != nil {
			return failure("write", f.dir, taken(msg))
		}
		return nil
	})
}

func (f family) writeFile(e *table.Entries) (err error) {
	path, err := f.newFile()
	if err != nil {
		return err
	}
	defer func() {
		if rmErr := os.Remove(path); err == nil && !os.IsNotExist(rmErr) {
			err = rmErr
		}
	}()
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var file *C.tm_file
	if msg := C.tm_file_new(cOptions(f.options), cColumn(f.handle), cPath, &file); msg != nil {
		return failure("write", f.dir, taken(msg))
	}
	defer C.tm_file_free(file)
	empty := true
	r, err := f.encode(e, flushBytes, func(entries []byte) error {
		empty = false
		if msg := C.tm_file_add(file, bytesOf(entries), C.size_t(len(entries))); msg != nil {
			return failure("write", f.dir, taken(msg))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if empty { // all entries were replaced or came and went: RocksDB takes no such file
		return e.Publish(func() error { return nil })
	}
	var bytes C.int64_t
	if msg := C.tm_file_finish(file, &bytes); msg != nil {
		return failure("write", f.dir, taken(msg))
	}
	r.bytes, r.overwrites = int64(bytes), func() (float64, error) { return f.overwrites(file) }
	if err := f.prepare(r); err != nil {
		return err
	}
	return e.Publish(func() error {
		if msg := C.tm_file_ingest(cDB(f.db), cColumn(f.handle), cPath); msg != nil {
			return failure("write", f.dir, taken(msg))
		}
		return nil
	})
}

// newFile makes an empty file, which RocksDB will write and ingest.
func (s flusher) newFile() (path string, err error) {
	file, err := os.CreateTemp(filepath.Join(s.dir, flushName), "*.sst")
	if err == nil {
		path = file.Name()
		err = file.Close()
	}
	if err != nil {
		return "", &Error{Op: "write", Dir: s.dir, Message: err.Error(), Err: classifyOS(err)}
	}
	return path, nil
}

// encode passes the entries on to to, in order and in the shim's form, about atOnce
// bytes at a time, and counts them. Values that have expired become tombstones.
func (f family) encode(e *table.Entries, atOnce int, to func(entries []byte) error) (r run, err error) {
	expiry := f.expiry.at()
	var buf []byte
	err = e.Each(func(key, stored []byte, deleted bool) error {
		deleted = deleted || expiry.drops(stored)
		length := uint32(C.TM_DELETED)
		if deleted {
			r.deletions++
		} else {
			r.entries++
			r.largestEntry = max(r.largestEntry, int64(len(stored)))
			length = uint32(len(stored))
		}
		buf = binary.NativeEndian.AppendUint32(buf, uint32(len(key)))
		buf = binary.NativeEndian.AppendUint32(buf, length)
		buf = append(buf, key...)
		if !deleted {
			buf = append(buf, stored...)
		}
		if len(buf) < atOnce {
			return nil
		}
		err := to(buf)
		buf = buf[:0]
		return err
	})
	if err == nil && len(buf) > 0 {
		err = to(buf)
	}
	return r, err
}
