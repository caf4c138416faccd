package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// header is the first byte of every stored value and item: the version of the
// format in the upper half, flags in the lower. ExpiringHeader has the only flag
// with a meaning; a reader refuses the others.
const header = 0x10

// keyed is what the direct implementations of all kinds have in common. Its
// buffers are reused by each access, so that no access allocates.
type keyed struct {
	name  string
	err   error // why the state could not be opened
	rows  Rows
	folds bool // rows takes operands
	row   *row
	life  lifetime
	at    Place  // what is accessed; its Key is reused
	bytes []byte // the stored value
	since int64  // when the operand that was found, or is to be put, began
}

// rowed returns the stored entry, if EachKey has just read it.
func (k *keyed) rowed() (stored []byte, ok bool) {
	if k.row.valid && bytes.Equal(k.row.key, k.at.Key) {
		return k.row.stored, true
	}
	return nil, false
}

// put writes stored at the entry.
func (k *keyed) put(stored []byte) error {
	k.row.wrote(k.at.Key)
	return k.rows.Put(&k.at, stored)
}

// openKeyed opens a keyed state whose values have their stored form. The registry gets
// an error, and so does every later use of the state.
func openKeyed(r *Registry, d Descriptor, o options, codecErr error) keyed {
	k, col := openColumn(r, d, o, codecErr)
	k.open(r, col, Access{Grouped: d.Kind == KindList || d.Kind == KindMap})
	return k
}

// openColumn returns a keyed state without rows, which open adds.
func openColumn(r *Registry, d Descriptor, o options, codecErr error) (k keyed, col Column) {
	k = keyed{name: d.Name, row: &row{}}
	life, err := r.lifetimeOf(o)
	if err = errors.Join(codecErr, err); err != nil {
		k.err = r.fail(fmt.Errorf("state %q: %w", d.Name, err))
		return k, nil
	}
	k.life = life
	if col, k.err = r.column(d); k.err != nil {
		_ = r.fail(k.err) // kept in the registry
		return k, nil
	}
	k.row = r.rows[len(r.rows)-1]
	return k, col
}

// takesRows reports whether a column may be accessed by places.
func takesRows(col Column) bool {
	_, ok := col.(RowColumn)
	return ok
}

// open opens the rows of a column, unless an error is known.
func (k *keyed) open(r *Registry, col Column, a Access) {
	if k.err != nil {
		return
	}
	rc, ok := col.(RowColumn)
	if !ok {
		k.rows = plain{col}
		return
	}
	var err error
	if k.rows, err = rc.Rows(a); err != nil {
		k.err = r.fail(fmt.Errorf("open state %q: %w", k.name, err))
	}
	k.folds = a.Fold != nil
}

// seek goes to the row of the current key and namespace: the key group, the
// key, and the namespace behind its length. No such column key is a prefix of
// another's, so more may follow it. The hash is the one that routed the record.
func (k *keyed) seek(cur *Current) error {
	if k.err != nil {
		return k.err
	}
	key := keygroup.AppendPrefix(k.at.Key[:0], cur.Group)
	key = append(key, cur.Key...)
	key = binary.AppendUvarint(key, uint64(len(cur.Namespace)))
	k.at = Place{Key: key, Row: len(key), Hash: cur.Hash, RowHash: cur.Hash}
	if len(cur.Namespace) > 0 {
		hash := combine(cur.Hash, seededHash(cur.Namespace))
		key = append(key, cur.Namespace...)
		k.at = Place{Key: key, Row: len(key), Hash: hash, RowHash: hash}
	}
	return nil
}

// load returns the stored entry, with and without its header, if it has not expired. It
// is valid until the next access.
func (k *keyed) load() (stored, payload []byte, found bool, err error) {
	stored, found = k.rowed()
	if !found {
		k.bytes, found, err = k.rows.Get(k.bytes[:0], &k.at)
		if err != nil || !found {
			return nil, nil, false, k.wrap("get", err)
		}
		stored = k.bytes
	}
	payload, found, err = k.life.payload(stored)
	return stored, payload, found, k.wrap("get", err)
}

// read is load for a user, whose reading may put off the expiry.
func (k *keyed) read() (payload []byte, found bool, err error) {
	stored, payload, found, err := k.load()
	if err != nil || !found || !k.life.onRead {
		return payload, found, err
	}
	if expiry := k.life.next(); k.life.renewsStored(stored, expiry) {
		setExpiry(stored, expiry)
		err = k.wrap("refresh", k.put(stored))
	}
	return payload, true, err
}

// renewScanned puts off the expiry of an entry that a scan has come to, unless
// it was written since the scan began.
func (k *keyed) renewScanned(at Place, stored []byte, expiry int64) error {
	var found bool
	var err error
	k.bytes, found, err = k.rows.Get(k.bytes[:0], &at)
	if err != nil || !found || !bytes.Equal(k.bytes, stored) {
		return err
	}
	setExpiry(k.bytes, expiry)
	k.row.wrote(at.Key)
	return k.rows.Put(&at, k.bytes)
}

func (k *keyed) delete() error {
	k.row.wrote(k.at.Key)
	return k.wrap("clear", k.rows.Delete(&k.at))
}

// deleteRow deletes every entry of the row.
func (k *keyed) deleteRow() error {
	k.row.wrote(k.at.Key)
	return k.wrap("clear", k.rows.DeleteRow(&k.at))
}

func (k *keyed) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s state %q: %w", op, k.name, err)
}

// store encodes v behind a header and puts it at k's entry.
func store[V any](k *keyed, c Codec[V], v V) error {
	b, err := c.Append(k.life.appendHeader(k.bytes[:0]), v)
	k.bytes = b[:0]
	if err == nil {
		err = k.put(b)
	}
	return k.wrap("set", err)
}

// payloadOf checks the header of a stored value that does not expire, and cuts
// it off.
func payloadOf(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, errShort("header")
	}
	if stored[0] != header {
		return nil, corrupt("header %#x: written by a newer version, or damaged", stored[0])
	}
	return stored[1:], nil
}

// PrefixEnd returns the least key that is greater than all with the prefix, the end of a scan of these;
// nil: there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
