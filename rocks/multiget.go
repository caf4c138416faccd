package rocks

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"slices"

	"github.com/linxGnu/grocksdb"
)

const (
	// firstRoomAhead is the first guess of what the values of a call take, and
	// lastRoomAhead what they may take if there is more than one.
	firstRoomAhead, lastRoomAhead = 16 << 10, 1 << 20
	mostAhead                     = 1 << 20 // keys
)

// multiGet reads many keys at a time. It belongs to one goroutine at a time; its
// buffers are reused.
type multiGet struct {
	keys, buf []byte
	most      int // keys in a call, while values are large; 0: any number
}

// read calls found with what RocksDB has of each of n keys, which ascend, in
// order. stored is valid until found returns; nil: there is none.
func (m *multiGet) read(db *grocksdb.DB, h *grocksdb.ColumnFamilyHandle, dir string, n int, key func(i int) []byte, found func(i int, stored []byte) error) error {
	for i := 0; i < n; {
		call := n - i
		if m.most > 0 {
			call = min(call, m.most)
		}
		m.keys = m.keys[:0]
		for j := i; j < i+call; j++ {
			k := key(j)
			m.keys = append(binary.NativeEndian.AppendUint32(m.keys, uint32(len(k))), k...)
		}
		m.buf = slices.Grow(m.buf[:0], firstRoomAhead)
		room := m.buf[:cap(m.buf)]
		var done C.size_t
		msg := C.tm_multi_get(cDB(db), cColumn(h), bytesOf(m.keys), C.size_t(call), bytesOf(room), C.size_t(len(room)), &done)
		if msg != nil {
			return failure("get", dir, taken(msg))
		}
		for end := i + int(done); i < end; i++ {
			length := binary.NativeEndian.Uint32(room)
			room = room[4:]
			var stored []byte
			if length != C.TM_DELETED {
				stored, room = room[:length:length], room[length:]
			}
			if err := found(i, stored); err != nil {
				return err
			}
		}
		m.learn(call, int(done))
	}
	return nil
}

// learn adapts the calls to come to one whose buffer was too small for all of its
// values: those are read in vain.
func (m *multiGet) learn(asked, done int) {
	switch {
	case done == asked:
		m.most = min(2*m.most, mostAhead)
	case done == 0 || cap(m.buf) < lastRoomAhead:
		m.buf = slices.Grow(m.buf[:0], 4*cap(m.buf))
	default:
		m.most = done
	}
}
