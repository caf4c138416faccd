package state

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/engine/internal/panics"
)

// Fold appends to dst the value that an operand makes of an older value; nil: there
// is none. Any goroutine may call it, at any time after the operand was put, and
// more than once.
type Fold func(dst, older, operand []byte) ([]byte, error)

// An operand is a value as its rows have it, with its expiry, followed by the time
// when it began, in Unix milliseconds, signed, big-endian. To the operand an older
// value is absent if it had expired by then.
const sinceBytes = 8

func appendSince(dst []byte, since int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(since))
}

func cutSince(operand []byte) (value []byte, since int64, err error) {
	n := len(operand) - sinceBytes
	if n < 0 {
		return nil, 0, errShort("operand")
	}
	return operand[:n], int64(binary.BigEndian.Uint64(operand[n:])), nil
}

// OperandSince returns when an operand began, in Unix milliseconds. What had not
// expired then is needed to fold it.
func OperandSince(operand []byte) int64 {
	_, since, err := cutSince(operand)
	if err != nil {
		return math.MinInt64 // Fold reports the error
	}
	return since
}

// begin notes that an operand begins now.
func (k *keyed) begin() { k.since = k.life.clock.unixMillis() }

// add replaces a value by what step makes of it, without reading it where the store
// can do without.
func add[V any](s valueStore[V], cur *Current, step func(old V, found bool) V) error {
	for {
		old, known, err := s.find(cur)
		if err != nil {
			return err
		}
		if known == KnownValue || known == KnownAbsent {
			return s.set(cur, step(old, known == KnownValue))
		}
		done, err := s.putOperand(step(old, known == KnownOperand), known == KnownNothing)
		if done || err != nil {
			return err
		}
	}
}

// asKnown reports get's result in find's terms.
func asKnown[V any](v V, found bool, err error) (V, Known, error) {
	if found || err != nil {
		return v, KnownValue, err
	}
	return v, KnownAbsent, nil
}

// foldStored returns the Fold of values as they are stored; nil if merge is.
func foldStored[V any](codec Codec[V], merge func(older, newer V) V) Fold {
	if merge == nil {
		return nil
	}
	return guarded(func(dst, older, operand []byte) ([]byte, error) {
		newer, since, err := cutSince(operand)
		if err != nil {
			return dst, err
		}
		if older == nil {
			return append(dst, newer...), nil
		}
		before, expiry, expires, err := splitStored(older)
		if err != nil {
			return dst, err
		}
		if expires && expiry <= since {
			return append(dst, newer...), nil
		}
		after, _, _, err := splitStored(newer)
		if err != nil {
			return dst, err
		}
		var a, b V
		if err := codec.Decode(before, &a); err != nil {
			return dst, err
		}
		if err := codec.Decode(after, &b); err != nil {
			return dst, err
		}
		return codec.Append(append(dst, newer[:len(newer)-len(after)]...), merge(a, b))
	})
}

// foldCells returns the Fold of values as cells; nil if merge is.
func foldCells[V any](merge func(older, newer V) V) Fold {
	if merge == nil {
		return nil
	}
	return guarded(func(dst, older, operand []byte) ([]byte, error) {
		from, since, err := cutSince(operand)
		if err != nil {
			return dst, err
		}
		var a, b cell[V]
		if _, err := b.fill(from); err != nil {
			return dst, err
		}
		if older != nil {
			expires, err := a.fill(older)
			if err != nil {
				return dst, err
			}
			if !expires || a.expiresAt() > since {
				b.value = merge(a.value, b.value)
			}
		}
		return append(dst, b.memory()[:len(from)]...), nil
	})
}

// guarded turns a panic in f into an error: the goroutine may be a backend's.
func guarded(f Fold) Fold {
	return func(dst, older, operand []byte) (value []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				value, err = dst, fmt.Errorf("merge: panic: %v; in %s", p, panics.Where())
			}
		}()
		return f(dst, older, operand)
	}
}
