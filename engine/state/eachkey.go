package state

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tidemark/tidemark/engine/keygroup"
)

// EachKey calls f once for each key that has an unexpired value in any open state
// and namespace when EachKey is called, in the order of key groups and encoded keys.
// f may read and write the state of any key, and finds what was written last. Keys that
// get their first value meanwhile are not visited; those that lose their last one are.
// The Current has no namespace; f may change it, and it is valid until f returns.
// EachKey ends at the first error, and when ctx ends. Between two calls of f it reads
// little, however many entries a key has.
func (r *Registry) EachKey(ctx context.Context, f func(c *Current) error) (err error) {
	var heads []Iterator
	defer func() {
		for _, row := range r.rows {
			row.visited, row.valid, row.stale = nil, false, false
		}
		for _, it := range heads {
			if cerr := it.Close(); err == nil {
				err = cerr
			}
		}
	}()
	for _, c := range r.columns {
		heads = append(heads, c.Scan(nil, nil))
	}
	type head struct {
		Iterator
		row *row
	}
	live := make([]head, 0, len(heads))
	for i, it := range heads {
		if it.Next() {
			live = append(live, head{it, r.rows[i]})
		} else if err := it.Err(); err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
	}
	var cur Current
	var prefix, key []byte
	for len(live) > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		least := live[0].Key()
		for _, it := range live[1:] {
			if bytes.Compare(it.Key(), least) < 0 {
				least = it.Key()
			}
		}
		if len(least) < keygroup.PrefixBytes {
			return fmt.Errorf("list keys: %w: entry %x has no key group", ErrCorrupt, least)
		}
		rest, hash, err := cutKey(r.key, least[keygroup.PrefixBytes:])
		if err != nil {
			return fmt.Errorf("list keys: entry %x: %w", least, err)
		}
		prefix = append(prefix[:0], least[:len(least)-len(rest)]...)
		key = append(key[:0], prefix[keygroup.PrefixBytes:]...)
		cur = Current{Hash: hash, Group: keygroup.FromPrefix(prefix), Key: key}

		// Pass all entries of the key before f is called, since f may write them.
		kept, there := live[:0], false
		for _, row := range r.rows {
			row.visited, row.valid = prefix, false
		}
		for _, it := range live {
			more := true
			if bytes.HasPrefix(it.Key(), prefix) {
				it.row.keep(it.Key(), it.Value())
			}
			for passed := 0; more && bytes.HasPrefix(it.Key(), prefix); {
				there = there || !r.clock.expired(it.Value())
				if passed += len(it.Key()) + len(it.Value()); there && passed > passedBytes {
					end := PrefixEnd(prefix)
					more = end != nil && it.Seek(end)
				} else {
					more = it.Next()
				}
			}
			if more {
				kept = append(kept, it)
			} else if err := it.Err(); err != nil {
				return fmt.Errorf("list keys: %w", err)
			}
		}
		live = kept
		if !there {
			continue
		}
		if err := f(&cur); err != nil {
			return err
		}
	}
	return nil
}

// passedBytes is how much of a key's entries EachKey reads to pass them, at least. Below
// that it costs more to look for the next key.
const passedBytes = 16 << 10

// row is an entry of a state that EachKey has passed for the key that it visits:
// reading it again would cost as much as the listing.
type row struct {
	key, stored []byte
	valid       bool
	visited     []byte // what the entries of the visited key begin with; nil: none is visited
	// stale: f wrote another key, so the listing may come to an old entry of it.
	stale bool
}

func (r *row) keep(key, stored []byte) {
	if !r.stale {
		r.key, r.stored, r.valid = append(r.key[:0], key...), append(r.stored[:0], stored...), true
	}
}

// wrote notes that an entry of the state is written.
func (r *row) wrote(key []byte) {
	r.valid = false
	if r.visited != nil && !bytes.HasPrefix(key, r.visited) {
		r.stale = true
	}
}
