package state

import (
	"bytes"
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
	row   *row
	entry []byte // the column key
	bytes []byte // the stored value
}

// row is an entry of a state's column that EachKey has passed for the key at
// hand: reading it again would cost as much as the listing.
type row struct {
	key, stored []byte
	valid       bool
}

// rowed returns what is stored under entry, if EachKey has just read it.
func (k *keyed) rowed() (stored []byte, ok bool) {
	if k.row.valid && bytes.Equal(k.row.key, k.entry) {
		return k.row.stored, true
	}
	return nil, false
}

// put writes stored under entry.
func (k *keyed) put(stored []byte) error {
	k.row.valid = false
	return k.col.Put(k.entry, stored)
}

// openKeyed opens a keyed state. What goes wrong is told to the registry, and
// to whoever uses the state all the same.
func openKeyed(r *Registry, d Descriptor, codecErr error) keyed {
	k := keyed{name: d.Name, row: &row{}}
	if codecErr != nil {
		k.err = r.fail(fmt.Errorf("state %q: %w", d.Name, codecErr))
		return k
	}
	if k.col, k.err = r.column(d); k.err != nil {
		_ = r.fail(k.err) // kept in the registry
		return k
	}
	k.row = r.rows[len(r.rows)-1]
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
	if stored, ok := k.rowed(); ok {
		payload, err = payloadOf(stored)
		return payload, true, k.wrap("get", err)
	}
	k.bytes, found, err = k.col.Get(k.bytes[:0], k.entry)
	if err != nil || !found {
		return nil, false, k.wrap("get", err)
	}
	payload, err = payloadOf(k.bytes)
	return payload, true, k.wrap("get", err)
}

func (k *keyed) delete() error {
	k.row.valid = false
	return k.wrap("clear", k.col.Delete(k.entry))
}

// deleteAll deletes every entry whose column key starts with entry.
func (k *keyed) deleteAll() (err error) {
	k.row.valid = false
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
		err = k.put(b)
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
