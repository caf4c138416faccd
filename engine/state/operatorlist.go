package state

import (
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// OperatorList is a small list of values that belongs to the subtask, not to a
// key. Open it with NewOperatorList.
type OperatorList[T any] struct {
	items *items
	codec Codec[T]
}

// items of an OperatorList, encoded. An item is never changed in place.
type items struct {
	name           string
	redistribution checkpoint.Redistribution
	codec          string
	encoded        [][]byte
	err            error // why the state could not be opened
}

// NewOperatorList opens the operator state name. r says which subtasks get its
// items when the parallelism changes. Operators without a key may use it too.
func NewOperatorList[T any](c OpenContext, name string, r checkpoint.Redistribution, opts ...Option) OperatorList[T] {
	reg := c.Registry()
	l := OperatorList[T]{items: &items{name: name, redistribution: r}}
	o := collect(opts)
	codec, err := codecFor[T](o)
	if err == nil && o.expires {
		err = fmt.Errorf("a TTL of %v: only what belongs to a key can expire", o.ttl)
	}
	if err == nil {
		l.codec, l.items.codec = codec, codec.Signature()
		err = reg.openItems(l.items)
	} else {
		err = fmt.Errorf("operator state %q: %w", name, err)
	}
	if err != nil {
		l.items.err = reg.fail(err)
	}
	return l
}

// openItems registers l and gives it the items that were restored for it.
func (r *Registry) openItems(l *items) error {
	if err := r.claim(l.name); err != nil {
		return err
	}
	for _, s := range r.restored[l.name] {
		if s.Redistribution != l.redistribution {
			return fmt.Errorf("%w: operator state %q: its redistribution was %d and is %d: change it back, or give the state another name to start it empty", ErrIncompatible, l.name, s.Redistribution, l.redistribution)
		}
		if err := Compatible(s.Codec, l.codec); err != nil {
			return fmt.Errorf("operator state %q: %w", l.name, err)
		}
		l.encoded = append(l.encoded, s.Items...)
	}
	delete(r.restored, l.name)
	r.lists = append(r.lists, l)
	return nil
}

func (l *items) snapshot() checkpoint.OperatorState {
	return checkpoint.OperatorState{
		Name:           l.name,
		Redistribution: l.redistribution,
		Codec:          l.codec,
		Items:          append([][]byte(nil), l.encoded...),
	}
}

func compareNames(a, b checkpoint.OperatorState) int { return strings.Compare(a.Name, b.Name) }

// Get returns the items.
func (l OperatorList[T]) Get() ([]T, error) {
	if l.items.err != nil {
		return nil, l.items.err
	}
	var all []T
	for i, stored := range l.items.encoded {
		var v T
		payload, err := payloadOf(stored)
		if err == nil {
			err = l.codec.Decode(payload, &v)
		}
		if err != nil {
			return nil, fmt.Errorf("get operator state %q, item %d: %w", l.items.name, i, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// Add appends items. They are encoded before it returns.
func (l OperatorList[T]) Add(values ...T) error {
	if l.items.err != nil {
		return l.items.err
	}
	encoded, err := l.encode(values)
	if err == nil {
		l.items.encoded = append(l.items.encoded, encoded...)
	}
	return err
}

// Set replaces the items. They are encoded before it returns.
func (l OperatorList[T]) Set(values []T) error {
	if l.items.err != nil {
		return l.items.err
	}
	encoded, err := l.encode(values)
	if err == nil {
		l.items.encoded = encoded
	}
	return err
}

func (l OperatorList[T]) encode(values []T) ([][]byte, error) {
	encoded := make([][]byte, len(values))
	for i, v := range values {
		var err error
		if encoded[i], err = l.codec.Append([]byte{header}, v); err != nil {
			return nil, fmt.Errorf("set operator state %q: %w", l.items.name, err)
		}
	}
	return encoded, nil
}
