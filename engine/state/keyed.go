package state

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// header is the first byte of every stored value and item: the version of the
// format in the upper half, flags in the lower. No flag has a meaning yet, so
// a reader refuses any.
const header = 0x10

// keyed is what the direct implementations of all kinds have in common. Its
// buffers are reused by each access, so that no access allocates.
type keyed struct {
	name  string
	err   error // why the state could not be opened
	col   Column
	entry []byte // the column key
	bytes []byte // the stored value
}

// openKeyed opens a keyed state. What goes wrong is told to the registry, and
// to whoever uses the state all the same.
func openKeyed(r *Registry, d Descriptor, codecErr error) keyed {
	k := keyed{name: d.Name}
	if codecErr != nil {
		k.err = r.fail(fmt.Errorf("state %q: %w", d.Name, codecErr))
		return k
	}
	if k.col, k.err = r.column(d); k.err != nil {
		_ = r.fail(k.err) // kept in the registry
	}
	return k
}

// seek sets entry to the column key of the current key and namespace: the key
// group, the key, and the namespace behind its length. No such column key is a
// prefix of another's, so more may follow it.
func (k *keyed) seek(cur *Current) error {
	if k.err != nil {
		return k.err
	}
	k.entry = keygroup.AppendPrefix(k.entry[:0], cur.Group)
	k.entry = append(k.entry, cur.Key...)
	k.entry = binary.AppendUvarint(k.entry, uint64(len(cur.Namespace)))
	k.entry = append(k.entry, cur.Namespace...)
	return nil
}

// load returns what is stored under entry, without the header. It is valid
// until the next access.
func (k *keyed) load() (payload []byte, found bool, err error) {
	k.bytes, found, err = k.col.Get(k.bytes[:0], k.entry)
	if err != nil || !found {
		return nil, false, k.wrap("get", err)
	}
	payload, err = payloadOf(k.bytes)
	return payload, true, k.wrap("get", err)
}

func (k *keyed) delete() error { return k.wrap("clear", k.col.Delete(k.entry)) }

// deleteAll deletes every entry whose column key starts with entry.
func (k *keyed) deleteAll() (err error) {
	it := k.col.Scan(k.entry, prefixEnd(k.entry))
	for err == nil && it.Next() {
		err = k.col.Delete(it.Key())
	}
	if err == nil {
		err = it.Err()
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return k.wrap("clear", err)
}

func (k *keyed) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s state %q: %w", op, k.name, err)
}

// store encodes v behind a header and puts it under k's entry.
func store[V any](k *keyed, c Codec[V], v V) error {
	b, err := c.Append(append(k.bytes[:0], header), v)
	k.bytes = b[:0]
	if err == nil {
		err = k.col.Put(k.entry, b)
	}
	return k.wrap("set", err)
}

// payloadOf checks a stored value's header and cuts it off.
func payloadOf(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, errShort("header")
	}
	if stored[0] != header {
		return nil, corrupt("header %#x: written by a newer version, or damaged", stored[0])
	}
	return stored[1:], nil
}

// prefixEnd returns the least key that is greater than all with the prefix;
// nil: there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
