package rocks

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/linxGnu/grocksdb"
)

const (
	// fileEntries is from how many entries on a file of their own is cheaper
	// than a way through the write buffer.
	fileEntries = 256
	// spillBytes is about how much goes to RocksDB in one call.
	spillBytes = 256 << 10
	// spillName is the directory of files on their way into the database.
	spillName = "spill"
)

// spiller writes entries to RocksDB. It does not touch a DB's own fields,
// so that it may run beside the DB's goroutine.
type spiller struct {
	dir     string
	db      *grocksdb.DB
	options *grocksdb.Options
	expiry  *expiry
}

// spill writes entries to a column. Where it fails it may have written some of
// them: to write them again is harmless.
func (s spiller) spill(h *grocksdb.ColumnFamilyHandle, e entries) error {
	count := e.count()
	if count == 0 {
		return nil
	}
	if count < fileEntries {
		// So few are no copy of the state that is worth a sample.
		if err := s.allowRuns(h, 0, nil); err != nil {
			return err
		}
		return e.each(s.expiry.at(), func(buf []byte) error {
			if msg := C.tm_write(cDB(s.db), cColumn(h), bytesOf(buf), C.size_t(len(buf))); msg != nil {
				return failure("write", s.dir, taken(msg))
			}
			return nil
		})
	}
	return s.spillFile(h, e)
}

func (s spiller) spillFile(h *grocksdb.ColumnFamilyHandle, e entries) (err error) {
	file, err := os.CreateTemp(filepath.Join(s.dir, spillName), "*.sst")
	if err != nil {
		return &Error{Op: "write", Dir: s.dir, Message: err.Error(), Err: classifyOS(err)}
	}
	path := file.Name()
	defer func() {
		if rmErr := os.Remove(path); err != nil || rmErr != nil && !os.IsNotExist(rmErr) {
			err = firstError(err, rmErr)
		}
	}()
	if err := file.Close(); err != nil {
		return &Error{Op: "write", Dir: s.dir, Message: err.Error(), Err: classifyOS(err)}
	}
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var f *C.tm_file
	if msg := C.tm_file_new(cOptions(s.options), cColumn(h), cPath, &f); msg != nil {
		return failure("write", s.dir, taken(msg))
	}
	defer C.tm_file_free(f)
	err = e.each(s.expiry.at(), func(buf []byte) error {
		if msg := C.tm_file_add(f, bytesOf(buf), C.size_t(len(buf))); msg != nil {
			return failure("write", s.dir, taken(msg))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.allowRuns(h, int64(C.tm_file_bytes(f)), func() (float64, error) { return s.overwrites(f, h) })
	if err != nil {
		return err
	}
	if msg := C.tm_file_ingest(f, cDB(s.db), cColumn(h), cPath); msg != nil {
		return failure("write", s.dir, taken(msg))
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls f with the entries, in order, as the shim takes them, some at a
// time; those that have expired as deletions.
func (e entries) each(x expiryAt, f func(buf []byte) error) error {
	var buf []byte
	order := e.sort()
	for b, ok := order.step(); ok; b, ok = order.step() {
		start := len(buf)
		buf = binary.NativeEndian.AppendUint32(buf, uint32(b.keyLen()))
		buf = binary.NativeEndian.AppendUint32(buf, C.TM_DELETED)
		buf = append(buf, b.key()...)
		if !b.deleted() {
			before := len(buf)
			var err error
			if buf, err = e.appendStored(buf, b); err != nil {
				return err
			}
			if x.drops(buf[before:]) {
				buf = buf[:before]
			} else {
				binary.NativeEndian.PutUint32(buf[start+4:], uint32(len(buf)-before))
			}
		}
		if len(buf) >= spillBytes {
			if err := f(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if len(buf) == 0 {
		return nil
	}
	return f(buf)
}

func (d *DB) spiller() spiller { return spiller{d.dir, d.db, d.options, d.expiry} }
