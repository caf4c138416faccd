package rocks

// #include "shim.h"
import "C"

import (
	"slices"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/rocks/table"
)

// family is a column family, as the table above it sees it.
type family struct {
	flusher
	handle       *grocksdb.ColumnFamilyHandle
	largestEntry *int64 // bytes of the largest so far; of Write, of which one runs at a time
}

var _ table.Below = family{}

// firstValueBytes is the buffer that Get offers before it knows the value's length.
// A longer value costs a second call.
const firstValueBytes = 256

// Get implements table.Below.
func (f family) Get(dst, key []byte) ([]byte, bool, error) {
	for size := firstValueBytes; ; {
		dst = slices.Grow(dst, size)
		free := dst[len(dst):cap(dst)]
		var length C.int64_t
		msg := C.tm_get(cDB(f.db), cColumn(f.handle), bytesOf(key), C.size_t(len(key)), bytesOf(free), C.size_t(len(free)), &length)
		switch n := int(length); {
		case msg != nil:
			return dst, false, failure("get", f.dir, taken(msg))
		case n < 0:
			return dst, false, nil
		case n <= len(free):
			return dst[:len(dst)+n], true, nil
		default:
			size = n
		}
	}
}

// Reader implements table.Below.
func (f family) Reader() table.Reader { return &multiGet{family: f, most: 1} }

// Scan implements table.Below.
func (f family) Scan(start, end []byte, once bool) table.Iterator {
	it := &iterator{dir: f.dir, bufferSize: firstBuffer, more: true}
	hasEnd, cached := C.int(0), C.int(1)
	if end != nil {
		hasEnd = 1
	}
	if once {
		cached = 0
	}
	it.scan = C.tm_scan_new(cDB(f.db), cColumn(f.handle), bytesOf(start), C.size_t(len(start)), bytesOf(end), C.size_t(len(end)), hasEnd, cached)
	openHandles.Add(1)
	return it
}
