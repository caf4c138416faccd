package rocks

// #include "shim.h"
import "C"

import (
	"bytes"
	"encoding/binary"
)

// An iterator's buffer starts small, since many scans are short. It grows with what
// is read up to lastBuffer, or to the largest entry.
const (
	firstBuffer  = 4 << 10
	lastBuffer   = 256 << 10
	lengthsBytes = 8 // before each entry
)

// iterator implements table.Iterator. It copies entries out of RocksDB in batches.
type iterator struct {
	dir        string
	scan       *C.tm_scan // nil: closed
	more       bool       // there may be entries beyond buf
	bufferSize int        // of the next batch
	buf        []byte
	next       int // where in buf the next entry begins

	key, value []byte
	err        error
}

// Next implements table.Iterator.
func (it *iterator) Next() bool {
	it.key, it.value = nil, nil
	if it.next == len(it.buf) && !it.fill() {
		return false
	}
	b := it.buf[it.next:]
	k, v := int(binary.NativeEndian.Uint32(b)), int(binary.NativeEndian.Uint32(b[4:]))
	b = b[lengthsBytes : lengthsBytes+k+v]
	it.key, it.value = b[:k:k], b[k:]
	it.next += lengthsBytes + k + v
	return true
}

// Seek implements table.Iterator.
func (it *iterator) Seek(key []byte) bool {
	for it.next < len(it.buf) {
		if it.Next(); bytes.Compare(it.key, key) >= 0 {
			return true
		}
	}
	if it.more && it.err == nil {
		C.tm_scan_seek(it.scan, bytesOf(key), C.size_t(len(key)))
		it.bufferSize = firstBuffer
	}
	return it.Next()
}

// fill reads the next batch, of one entry at least; false at the end.
func (it *iterator) fill() bool {
	for it.more && it.err == nil {
		if cap(it.buf) < it.bufferSize {
			it.buf = make([]byte, it.bufferSize)
		}
		it.buf = it.buf[:cap(it.buf)]
		var used, need C.size_t
		msg := C.tm_scan_fill(it.scan, bytesOf(it.buf), C.size_t(len(it.buf)), &used, &need)
		it.buf, it.next = it.buf[:used], 0
		it.more = need > 0
		it.bufferSize = max(int(need), min(2*it.bufferSize, lastBuffer))
		if msg != nil {
			it.err = failure("scan", it.dir, taken(msg))
			it.buf = it.buf[:0]
			return false
		}
		if used > 0 {
			return true
		}
	}
	return false
}

// Key implements table.Iterator.
func (it *iterator) Key() []byte { return it.key }

// Value implements table.Iterator.
func (it *iterator) Value() []byte { return it.value }

// Err implements table.Iterator.
func (it *iterator) Err() error { return it.err }

// Close implements table.Iterator.
func (it *iterator) Close() error {
	if it.scan != nil {
		C.tm_scan_free(it.scan)
		openHandles.Add(-1)
	}
	*it = iterator{}
	return nil
}
