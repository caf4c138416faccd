package state

import (
	"encoding/binary"
	"fmt"
	"runtime/debug"
)

// OperandRows is Rows that take operands: what is to be merged into the value of
// a place when that is wanted, or leaves memory. To write one, nothing is read.
type OperandRows interface {
	Rows
	// Folds tells how operands become values, once, before the first access.
	// False: the rows take no operands.
	Folds(f Fold) bool
	// Find is Get, but for what would have to be read first, of which it knows
	// nothing.
	Find(dst []byte, at Place) (value []byte, known Known, err error)
	// PutOperand puts an operand where Find has just known nothing, or an operand
	// that this one includes. False: room had to be made, which may have changed
	// what Find knew, and nothing was put.
	PutOperand(at Place, operand []byte) (done bool, err error)
}

// Known is what is known of a place without reading.
type Known uint8

// What may be known: nothing, that there is no value, the value, or an operand
// that is to be merged into whatever there is.
const (
	KnownNothing Known = iota
	KnownAbsent
	KnownValue
	KnownOperand
)

// Fold appends to dst the value that an operand makes of an older value; nil:
// there is none. Any goroutine may call it, at any time after the operand was put,
// and more than once.
type Fold func(dst, older, operand []byte) ([]byte, error)

// An operand is a value as its rows have it, with its expiry, and behind that when
// it began, in Unix milliseconds, signed, big-endian: an older value that had
// expired by then is absent to it, one that expires later is not.
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

// operandRows returns k's rows if they take the operands that f folds.
func (k *keyed) operandRows(f Fold) OperandRows {
	if rows, ok := k.rows.(OperandRows); ok && rows.Folds(guarded(f)) {
		return rows
	}
	return nil
}

// begin notes when an operand begins.
func (k *keyed) begin() { k.since = k.life.clock.unixMillis() }

// add has a value become what step makes of it, without reading it where the
// store can do without.
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

// certain is what get has found, as find tells it.
func certain[V any](v V, found bool, err error) (V, Known, error) {
	if found || err != nil {
		return v, KnownValue, err
	}
	return v, KnownAbsent, nil
}

// foldStored returns the Fold of values as they are stored.
func foldStored[V any](codec Codec[V], merge func(older, newer V) V) Fold {
	return func(dst, older, operand []byte) ([]byte, error) {
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
	}
}

// foldCells returns the Fold of values as cells.
func foldCells[V any](merge func(older, newer V) V) Fold {
	return func(dst, older, operand []byte) ([]byte, error) {
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
	}
}

// guarded has what a user's function breaks be an error like any: the goroutine
// may be a backend's.
func guarded(f Fold) Fold {
	return func(dst, older, operand []byte) (value []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				value, err = dst, fmt.Errorf("merge: panic: %v\n%s", p, debug.Stack())
			}
		}()
		return f(dst, older, operand)
	}
}
