package rocks

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"slices"
)

const (
	// mostKeys is how many keys a call may ask for. The first asks for one, since
	// nothing is known of the values.
	mostKeys = 1 << 20
	// firstValues is the first guess of how many bytes a call's values take, and
	// lastValues how many they may take if there is more than one.
	firstValues, lastValues = 16 << 10, 1 << 20
)

// multiGet implements table.Reader. Its buffers are reused.
type multiGet struct {
	family
	keys, values []byte
	most         int // keys in the next call
	need         int // bytes that its values take, at least
}

// Read implements table.Reader.
func (m *multiGet) Read(n int, key func(i int) []byte, found func(i int, stored []byte) error) error {
	if cap(m.values) > lastValues {
		m.values = nil // it held a large value
	}
	for i := 0; i < n; {
		call := min(n-i, m.most)
		m.keys = m.keys[:0]
		for j := i; j < i+call; j++ {
			k := key(j)
			m.keys = append(binary.NativeEndian.AppendUint32(m.keys, uint32(len(k))), k...)
		}
		m.values = slices.Grow(m.values[:0], max(m.need, firstValues))
		values := m.values[:cap(m.values)]
		var done, need C.size_t
		msg := C.tm_multi_get(cDB(m.db), cColumn(m.handle), bytesOf(m.keys), C.size_t(call), bytesOf(values), C.size_t(len(values)), &done, &need)
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
		m.learn(call, int(done), int(need), cap(m.values)-len(values))
	}
	return nil
}

// learn adapts the next calls to one that asked for some keys. Its values took used
// bytes, and the buffer had space for the first done of them. The next one takes need
// bytes; 0: it was not read.
func (m *multiGet) learn(asked, done, need, used int) {
	m.need = 0
	switch full := 2*used > cap(m.values); {
	case done < asked: // what was read beyond was read in vain, so ask for less
		m.most = max(1, done)
		if done == 0 {
			m.need = need
		}
	case !full:
		m.most = min(2*m.most, mostKeys)
	case cap(m.values) < lastValues:
		m.need = 2 * cap(m.values)
	}
}
