package sink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/internal/optional"
)

// Tee sends every row to each of the sinks. Their number and order must not
// change in the life of a job. At most one of them may be a Digest, and no two
// JSONL sinks may share a directory.
func Tee[T any](sinks ...engine.Sink[T]) engine.Sink[T] { return tee[T](sinks) }

type tee[T any] []engine.Sink[T]

// Validate reports the first mistake of one of the sinks.
func (s tee[T]) Validate() error {
	for i, one := range s {
		checked, has, err := optional.Of[engine.Validator](one)
		if has {
			err = checked.Validate()
		} else if one == nil {
			err = errors.New("it is nil")
		}
		if err == nil {
			_, _, err = optional.Of[engine.Placed](one)
		}
		if err != nil {
			return fmt.Errorf("sink %d of a tee: %w", i, err)
		}
	}
	return nil
}

// Places implements engine.Placed.
func (s tee[T]) Places() (all []engine.Place) {
	for _, one := range s {
		if p, ok := one.(engine.Placed); ok { // Validate found those that only seem so
			all = append(all, p.Places()...)
		}
	}
	return all
}

func (s tee[T]) Recover(ctx context.Context, r engine.Recovery) error {
	each, err := decodeTee(r.Pending, len(s))
	if err != nil {
		return err
	}
	for i, one := range s {
		r.Pending = each[i]
		if err := one.Recover(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s tee[T]) Open(c engine.SinkContext) (engine.Writer[T], error) {
	w := &teeWriter[T]{prepared: make([][][]byte, len(s))}
	for _, one := range s {
		writer, err := one.Open(c)
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
		w.writers = append(w.writers, writer)
	}
	return w, nil
}

type teeWriter[T any] struct {
	writers []engine.Writer[T]
	// prepared holds, for each writer, what it prepared and Prepare has not yet
	// returned: several pieces if a later writer failed meanwhile.
	prepared [][][]byte
}

func (w *teeWriter[T]) Write(ctx context.Context, batch []T) error {
	for _, one := range w.writers {
		if err := one.Write(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (w *teeWriter[T]) Prepare(ctx context.Context, id checkpoint.ID) ([]byte, error) {
	for i, one := range w.writers {
		pending, err := one.Prepare(ctx, id)
		if err != nil {
			return nil, err
		}
		if pending != nil {
			w.prepared[i] = append(w.prepared[i], pending)
		}
	}
	b := encodeTee(w.prepared)
	clear(w.prepared)
	return b, nil
}

func (w *teeWriter[T]) Publish(ctx context.Context, pending [][]byte) error {
	each, err := decodeTee(pending, len(w.writers))
	if err != nil {
		return err
	}
	for i, one := range w.writers {
		if len(each[i]) == 0 {
			continue
		}
		if err := one.Publish(ctx, each[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *teeWriter[T]) Close() error {
	var errs []error
	for _, one := range w.writers {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// teeVersion is the first byte of what a tee has pending. What follows: as a
// uvarint the number of sinks, and for each the number of its pieces, and
// their lengths and bytes.
const teeVersion = 1

// encodeTee returns nil where there is nothing.
func encodeTee(each [][][]byte) []byte {
	b := binary.AppendUvarint([]byte{teeVersion}, uint64(len(each)))
	some := false
	for _, pieces := range each {
		b = binary.AppendUvarint(b, uint64(len(pieces)))
		for _, p := range pieces {
			b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
			some = true
		}
	}
	if !some {
		return nil
	}
	return b
}

// decodeTee sorts what was pending by sink.
func decodeTee(pending [][]byte, sinks int) ([][][]byte, error) {
	each := make([][][]byte, sinks)
	for _, b := range pending {
		d := decoder{rest: b}
		d.version(teeVersion)
		if n := d.uvarint(); d.err == nil && n != uint64(sinks) {
			d.fail("it is of a tee of %d sinks and this one has %d: give it back the sinks it had", n, sinks)
		}
		for i := range each {
			for n := d.uvarint(); n > 0 && d.err == nil; n-- {
				each[i] = append(each[i], d.bytes(d.uvarint()))
			}
		}
		if err := d.end(); err != nil {
			return nil, engine.Permanent(fmt.Errorf("tee: %w", err))
		}
	}
	return each, nil
}
