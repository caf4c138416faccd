package rocks

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"slices"
)

const (
	// firstKeys is how many keys the first call asks for, and mostKeys how many a
	// call may ask for.
	firstKeys, mostKeys = 64, 1 << 20
	// firstValues is the first guess of how many bytes a call's values take, and
	// lastValues how many they may take if there is more than one.
	firstValues, lastValues = 16 << 10, 1 << 20
)

// multiGet implements table.Reader. Its buffers are reused.
type multiGet struct {
	family
	keys, values []byte
	most         int // keys in the next call
}

// Read implements table.Reader.
func (m *multiGet) Read(n int, key func(i int) []byte, found func(i int, stored []byte) error) error {
	for i := 0; i < n; {
		call := min(n-i, m.most)
		m.keys = m.keys[:0]
		for j := i; j < i+call; j++ {
			k := key(j)
			m.keys = append(binary.NativeEndian.AppendUint32(m.keys, uint32(len(k))), k...)
		}
		m.values = slices.Grow(m.values[:0], firstValues)
		values := m.values[:cap(m.values)]
		var done C.size_t
		msg := C.tm_multi_get(cDB(m.db), cColumn(m.handle), bytesOf(m.keys), C.size_t(call), bytesOf(values), C.size_t(len(values)), &done)
		if msg != nil {
			return failure("get", m.dir, taken(msg))
		}
		for end := i + int(done); i < end; i++ {
			length := binary.NativeEndian.Uint32(values)
			values = values[4:]
			var stored []byte
			if length != C.TM_DELETED {
				stored, values = values[:length:length], values[length:]
			}
			if err := found(i, stored); err != nil {
				return err
			}
		}
		m.learn(call, int(done))
	}
	return nil
}

// learn adapts the next calls to one that asked for some keys, whose buffer had
// space for the values of the first done of them: the others were read in vain.
func (m *multiGet) learn(asked, done int) {
	switch {
	case done == asked:
		m.most = min(2*m.most, mostKeys)
	case done == 0 || cap(m.values) < lastValues:
		m.values = slices.Grow(m.values[:0], 4*cap(m.values))
	default:
		m.most = done
	}
}
