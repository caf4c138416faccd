package rocks

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/linxGnu/grocksdb"
	"github.com/zeebo/xxh3"

	"github.com/tidemark/tidemark/engine/state"
)

// column implements state.Column on a column family, and a table above it.
type column struct {
	db       *DB
	handle   *grocksdb.ColumnFamilyHandle
	table    table
	placed   bool   // the user names places
	room     []byte // for a value on its way from one form to the other
	older    []byte // that lies below an operand
	expected expected
}

func newColumn(d *DB, h *grocksdb.ColumnFamilyHandle) (*column, error) {
	c := &column{db: d, handle: h, table: table{share: d.share}}
	it := c.scanBase(nil, nil)
	c.table.whole = !it.Next()
	if it.err != nil {
		it.free()
		return nil, it.err
	}
	return c, it.Close()
}

// roomForValue is what Get makes room for before it knows the value's length:
// longer ones cost a second call.
const roomForValue = 256

// keyPlace is the place of a key of which nothing else is known. Such a key
// stands for a row, and a user who names places hashes otherwise: for that user
// the table begins anew.
func (c *column) keyPlace(key []byte) (place, error) {
	hash := uint32(xxh3.Hash(key) >> 32)
	p := place{key, len(key), hash, hash}
	if !c.placed {
		return p, nil
	}
	return p, c.empty()
}

// empty writes what is dirty to RocksDB, and forgets all entries.
func (c *column) empty() error {
	if c.table.index.entries == 0 {
		return nil
	}
	if c.table.scans > 0 {
		return &Error{Op: "access", Dir: c.db.dir, Message: "a scan is open", Err: ErrBusy}
	}
	if err := c.db.spillNow(c); err != nil {
		return err
	}
	c.table.reset()
	return nil
}

// Get implements state.Column.
func (c *column) Get(dst, key []byte) ([]byte, bool, error) {
	if c.db.closed {
		return dst, false, c.db.closedError("get")
	}
	p, err := c.keyPlace(key)
	if err != nil {
		return dst, false, err
	}
	return c.getStored(dst, p)
}

// getStored returns a value as RocksDB has it.
func (c *column) getStored(dst []byte, p place) ([]byte, bool, error) {
	if c.table.form == nil {
		return c.get(dst, p)
	}
	cell, found, err := c.get(c.room[:0], p)
	c.room = cell
	if err == nil && found {
		dst, err = c.table.form.Encode(dst, cell)
	}
	return dst, found, err
}

// get returns a value in the form of the table.
func (c *column) get(dst []byte, p place) ([]byte, bool, error) {
	if c.db.closed {
		return dst, false, c.db.closedError("get")
	}
	if p.row == len(p.key) {
		c.expected.wanted++
	}
	switch b := c.table.find(p); {
	case b == nil:
		return c.getBelow(dst, p)
	case b.operand():
		return c.resolve(dst, p, b)
	default:
		return append(dst, b.value()...), !b.deleted(), nil
	}
}

// getBelow is get for what the table does not have.
func (c *column) getBelow(dst []byte, p place) ([]byte, bool, error) {
	if c.table.whole || c.absent(p) {
		return dst, false, nil
	}
	have := len(dst)
	var found bool
	var err error
	if c.table.form == nil {
		dst, found, err = c.read(dst, p.key)
	} else {
		var stored []byte
		if stored, found, err = c.read(nil, p.key); found {
			dst, err = c.table.form.Decode(dst, stored)
		}
	}
	if err == nil && found {
		c.remember(p, dst[have:])
	}
	return dst, found, err
}

// remember adds an entry that RocksDB has to the table, if that has room: a
// read does without.
func (c *column) remember(p place, value []byte) {
	for !c.table.remember(p, value) {
		if !c.db.findRoom(c, c.table.sizeOf(p, value)) {
			return
		}
	}
}

// read asks RocksDB.
func (c *column) read(dst, key []byte) ([]byte, bool, error) {
	for room := roomForValue; ; {
		dst = slices.Grow(dst, room)
		free := dst[len(dst):cap(dst)]
		var length C.int64_t
		msg := C.tm_get(cDB(c.db.db), cColumn(c.handle), bytesOf(key), C.size_t(len(key)), bytesOf(free), C.size_t(len(free)), &length)
		switch n := int(length); {
		case msg != nil:
			return dst, false, failure("get", c.db.dir, taken(msg))
		case n < 0:
			return dst, false, nil
		case n <= len(free):
			return dst[:len(dst)+n], true, nil
		default:
			room = n
		}
	}
}

// Put implements state.Column.
func (c *column) Put(key, value []byte) error {
	if c.db.closed {
		return c.db.closedError("put")
	}
	p, err := c.keyPlace(key)
	if err != nil {
		return err
	}
	return c.putStored(p, value)
}

// putStored writes a value as RocksDB will have it.
func (c *column) putStored(p place, value []byte) error {
	if c.table.form != nil {
		var err error
		if c.room, err = c.table.form.Decode(c.room[:0], value); err != nil {
			return err
		}
		value = c.room
	}
	return c.set("put", p, value, 0)
}

// Delete implements state.Column.
func (c *column) Delete(key []byte) error {
	if c.db.closed {
		return c.db.closedError("delete")
	}
	p, err := c.keyPlace(key)
	if err != nil {
		return err
	}
	return c.set("delete", p, nil, flagDeleted)
}

// set writes a value in the form of the table, or a deletion.
func (c *column) set(op string, p place, value []byte, flags byte) error {
	for {
		if done, err := c.trySet(op, p, value, flags); done || err != nil {
			return err
		}
	}
}

// trySet is set, unless room had to be made first, for which anything that was
// dirty may have been written: then it has made that.
func (c *column) trySet(op string, p place, value []byte, flags byte) (done bool, err error) {
	if c.db.closed {
		return false, c.db.closedError(op)
	}
	size := c.table.sizeOf(p, value)
	if size > maxEntryBytes {
		return false, &Error{Op: op, Dir: c.db.dir, Message: fmt.Sprintf("a key of %d bytes with a value of %d: an entry may have up to %d MiB", len(p.key), len(value), maxEntryBytes>>20), Err: ErrUsage}
	}
	if !c.table.set(p, value, flags) {
		return false, c.db.makeRoom(c, size)
	}
	if s := c.db.share; s.dirty > s.spillFrom {
		c.db.spillSoon()
	}
	return true, nil
}

// Scan implements state.Column. A scan of the whole column merges table and
// RocksDB; for a part of it, what the table holds of the column is written to
// RocksDB first, so that there is one place to look.
func (c *column) Scan(start, end []byte) state.Iterator {
	if c.db.closed {
		return &iterator{err: c.db.closedError("scan")}
	}
	if len(start) == 0 && end == nil {
		return c.scanAll()
	}
	if err := c.db.spillNow(c); err != nil {
		return &iterator{err: err}
	}
	return c.scanBase(start, end)
}

// scanBase returns what RocksDB has.
func (c *column) scanBase(start, end []byte) *iterator {
	it := &iterator{db: c.db, room: firstRoom}
	hasEnd := C.int(0)
	if end != nil {
		hasEnd = 1
	}
	it.scan = C.tm_scan_new(cDB(c.db.db), cColumn(c.handle), bytesOf(start), C.size_t(len(start)), bytesOf(end), C.size_t(len(end)), hasEnd)
	it.more = true
	c.db.iterators[it] = struct{}{}
	openHandles.Add(1)
	return it
}

// An iterator's buffer starts small, since many scans are short, and grows with
// what is read up to lastRoom, or to the greatest entry.
const (
	firstRoom    = 4 << 10
	lastRoom     = 256 << 10
	lengthsBytes = 8 // before each entry
)

// scan is an iterator that was not closed yet.
type scan interface{ free() }

// iterator implements state.Iterator. It copies entries out in batches.
type iterator struct {
	db   *DB
	scan *C.tm_scan // nil once freed
	more bool       // there may be entries beyond buf
	room int        // size of the next buffer
	buf  []byte
	next int // where in buf the next entry begins

	key, value []byte
	err        error
}

// Next implements state.Iterator.
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

// fill reads the next batch, of one entry at least; false at the end.
func (it *iterator) fill() bool {
	for it.more && it.err == nil {
		if it.scan == nil {
			it.err = it.db.closedError("scan")
			return false
		}
		if cap(it.buf) < it.room {
			it.buf = make([]byte, it.room)
		}
		it.buf = it.buf[:cap(it.buf)]
		var used, need C.size_t
		msg := C.tm_scan_fill(it.scan, bytesOf(it.buf), C.size_t(len(it.buf)), &used, &need)
		it.buf, it.next = it.buf[:used], 0
		it.more = need > 0
		it.room = max(int(need), min(2*it.room, lastRoom))
		if msg != nil {
			it.err = failure("scan", it.db.dir, taken(msg))
			it.buf = it.buf[:0]
			return false
		}
		if used > 0 {
			return true
		}
	}
	return false
}

// Key implements state.Iterator.
func (it *iterator) Key() []byte { return it.key }

// Value implements state.Iterator.
func (it *iterator) Value() []byte { return it.value }

// Err implements state.Iterator.
func (it *iterator) Err() error { return it.err }

// Close implements state.Iterator. Closing again does nothing.
func (it *iterator) Close() error {
	it.free()
	it.more, it.buf, it.next, it.key, it.value = false, nil, 0, nil, nil
	return nil
}

func (it *iterator) free() {
	if it.scan == nil {
		return
	}
	C.tm_scan_free(it.scan)
	it.scan = nil
	delete(it.db.iterators, it)
	openHandles.Add(-1)
}
