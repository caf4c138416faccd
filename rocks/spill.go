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

	"github.com/tidemark/tidemark/engine/state"
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
	told    int64 // what time RocksDB is told, in Unix milliseconds
}

// spill writes entries to a column: all of them, or, where it fails, none.
func (s spiller) spill(h *grocksdb.ColumnFamilyHandle, e entries) error {
	count := e.count()
	if count == 0 {
		return nil
	}
	if count >= fileEntries {
		return s.spillFile(h, e)
	}
	// So few are no copy of the state that is worth a sample.
	if err := s.allowRuns(h, 0, nil); err != nil {
		return err
	}
	var all []byte
	err := s.each(h, e, math.MaxInt, func(buf []byte) error {
		all = buf
		return nil
	})
	if err != nil {
		return err
	}
	return e.landing.publish(func() error {
		if msg := C.tm_write(cDB(s.db), cColumn(h), bytesOf(all), C.size_t(len(all))); msg != nil {
			return failure("write", s.dir, taken(msg))
		}
		return nil
	})
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
	err = s.each(h, e, spillBytes, func(buf []byte) error {
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
	return e.landing.publish(func() error {
		if msg := C.tm_file_ingest(f, cDB(s.db), cColumn(h), cPath); msg != nil {
			return failure("write", s.dir, taken(msg))
		}
		return nil
	})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// foldedAtOnce is for how many entries what lies below operands is read together:
// in order, so that neighbours are found in the same block.
const foldedAtOnce = 1024

// each calls f with the entries, in order, as the shim takes them, some bytes at
// a time; operands as the values that they make, and what has expired as deletions.
func (s spiller) each(h *grocksdb.ColumnFamilyHandle, e entries, atOnce int, f func(buf []byte) error) error {
	out := stored{form: e.form, folder: folder{fold: e.fold, form: e.form}, expiry: s.expiry.at()}
	below := multiGet{most: foldedAtOnce / 16}
	var window, operands []block
	order := e.sort()
	for more := true; more; {
		window, operands = window[:0], operands[:0]
		for len(window) < foldedAtOnce {
			var b block
			if b, more = order.step(); !more {
				break
			}
			window = append(window, b)
			if b.operand() {
				operands = append(operands, b)
			}
		}
		next := 0 // of window
		write := func(older []byte) error {
			err := out.add(window[next], older)
			next++
			if err == nil && len(out.buf) >= atOnce {
				err = f(out.buf)
				out.buf = out.buf[:0]
			}
			return err
		}
		values := func() error {
			for next < len(window) && !window[next].operand() {
				if err := write(nil); err != nil {
					return err
				}
			}
			return nil
		}
		if err := values(); err != nil {
			return err
		}
		key := func(i int) []byte { return operands[i].key() }
		err := below.read(s.db, h, s.dir, len(operands), key, func(_ int, older []byte) error {
			if err := write(older); err != nil {
				return err
			}
			return values()
		})
		if err != nil {
			return err
		}
	}
	if len(out.buf) == 0 {
		return nil
	}
	return f(out.buf)
}

// stored are entries as the shim takes them.
type stored struct {
	form   *state.CellForm
	folder folder
	expiry expiryAt
	buf    []byte
}

// add appends an entry; older is what lies below it, if it is an operand.
func (s *stored) add(b block, older []byte) (err error) {
	start := len(s.buf)
	s.buf = binary.NativeEndian.AppendUint32(s.buf, uint32(b.keyLen()))
	s.buf = binary.NativeEndian.AppendUint32(s.buf, C.TM_DELETED)
	s.buf = append(s.buf, b.key()...)
	if b.deleted() {
		return nil
	}
	before := len(s.buf)
	switch {
	case b.operand():
		s.buf, err = s.folder.stored(s.buf, older, b.value())
	case s.form != nil:
		s.buf, err = s.form.Encode(s.buf, b.value())
	default:
		s.buf = append(s.buf, b.value()...)
	}
	switch {
	case err != nil:
	case s.expiry.drops(s.buf[before:]):
		s.buf = s.buf[:before]
	default:
		binary.NativeEndian.PutUint32(s.buf[start+4:], uint32(len(s.buf)-before))
	}
	return err
}

func (d *DB) spiller() spiller { return spiller{d.dir, d.db, d.options, d.expiry, d.tellable()} }
