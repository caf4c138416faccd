package state

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// Untyped reads a state without its Go types: by the signatures of its descriptor. It
// belongs to one goroutine.
type Untyped struct {
	kind        Kind
	key, mapKey *signature
	value       *signature // nil: a codec of the job's own encodes the values
	row         []byte     // of the list whose end was decoded last
	next        uint64     // the index behind that list's last item
}

// UntypedEntry is an entry of a state, for people. Bytes whose meaning only the job knows
// are base64: values of a codec of its own, namespaces, what MarshalBinary returned. A
// string that is not UTF-8 is "base64:" and its base64.
type UntypedEntry struct {
	Group     keygroup.KeyGroup `json:"key_group"`
	Key       json.RawMessage   `json:"key"`
	Namespace []byte            `json:"namespace,omitempty"`
	MapKey    json.RawMessage   `json:"map_key,omitempty"` // of a Map's entry
	Index     *uint64           `json:"index,omitempty"`   // of a List's item
	Value     json.RawMessage   `json:"value"`
	Expires   time.Time         `json:"expires,omitzero"` // from then on it is absent
}

// UntypedOf returns a reader of the state that d describes. The error wraps
// ErrUnsupported if it is of a kind that cannot be read so.
func UntypedOf(d Descriptor) (u *Untyped, err error) {
	u = &Untyped{kind: d.Kind}
	if d.Kind < KindValue || d.Kind > KindAggregating {
		return nil, fmt.Errorf("%w: state %q holds %v", ErrUnsupported, d.Name, d.Kind)
	}
	if u.key, err = parseSignature(d.Key); err != nil {
		return nil, fmt.Errorf("state %q: key: %w", d.Name, err)
	}
	if d.Kind == KindMap {
		if u.mapKey, err = parseSignature(d.MapKey); err != nil {
			return nil, fmt.Errorf("state %q: map key: %w", d.Name, err)
		}
	}
	u.value, _ = parseSignature(d.Value) // nil: a codec of the job's own
	return u, nil
}

// Decode decodes an entry of the state's column. Entries must come in the order of a scan
// that began with a key's first entry. False: it is no entry that a person would count,
// such as the end of a list. The error wraps ErrCorrupt.
func (u *Untyped) Decode(key, stored []byte) (e UntypedEntry, counts bool, err error) {
	payload, expiry, expires, err := splitStored(stored)
	if err != nil {
		return e, false, err
	}
	if expires {
		e.Expires = time.UnixMilli(expiry).UTC()
	}
	if len(key) < keygroup.PrefixBytes {
		return e, false, corrupt("entry %x has no key group", key)
	}
	e.Group = keygroup.FromPrefix(key)
	var rest []byte
	if e.Key, rest, err = u.key.appendKeyJSON(nil, key[keygroup.PrefixBytes:]); err != nil {
		return e, false, err
	}
	if e.Namespace, rest, err = prefixed(rest, "namespace"); err != nil {
		return e, false, err
	}
	row := key[:len(key)-len(rest)]
	switch u.kind {
	case KindMap:
		if e.MapKey, rest, err = u.mapKey.appendKeyJSON(nil, rest); err != nil {
			return e, false, err
		}
	case KindList:
		if len(rest) == 0 {
			u.row, u.next = append(u.row[:0], row...), 0
			if u.next, _, err = uvarint(payload); err != nil {
				return e, false, err
			}
			return e, false, nil
		}
		if len(rest) != indexBytes {
			return e, false, corrupt("list with an item %x", rest)
		}
		index := binary.BigEndian.Uint64(rest)
		if !bytes.Equal(row, u.row) || index >= u.next {
			return e, false, nil // left over from a list that was cleared, or by an Add that failed
		}
		e.Index, rest = &index, nil
	}
	if len(rest) > 0 {
		return e, false, corrupt("%d bytes follow the key", len(rest))
	}
	if u.value == nil {
		e.Value = appendBase64(nil, payload)
		return e, true, nil
	}
	if e.Value, rest, err = u.value.appendJSON(nil, payload); err == nil && len(rest) > 0 {
		err = corrupt("%d bytes follow the value", len(rest))
	}
	return e, err == nil, err
}

// Row returns what the entries of a key begin with in the state's column, and the key's
// group in a job with that many. text is the key as JSON, as Decode writes it; quotes
// around a string may be left out.
func (u *Untyped) Row(text string, maxParallelism int) (prefix []byte, group keygroup.KeyGroup, err error) {
	var v any
	if u.key.op == "string" && !strings.HasPrefix(text, `"`) {
		v = text
	} else {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, 0, fmt.Errorf("key %s: not JSON for a %v: %w", text, u.key, err)
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, 0, fmt.Errorf("key %s: something follows the %v", text, u.key)
		}
	}
	key, err := u.key.appendKeyOf(nil, v)
	if err != nil {
		return nil, 0, fmt.Errorf("key %s: want a %v: %w", text, u.key, err)
	}
	_, hash, err := cutKey(u.key, key)
	if err != nil {
		return nil, 0, err
	}
	group = keygroup.Of(hash, maxParallelism)
	return append(keygroup.AppendPrefix(nil, group), key...), group, nil
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
