package nexmark

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/engine"
)

// ErrSplit: a split is not one of this source with these options.
var ErrSplit = errors.New("split does not fit the generator")

// splitVersion is the first byte of a split. What follows are uvarints: the
// length of the source's kind and the kind, seed, rate, keys, stride, next.
const splitVersion = 1

// position is how far a split has been read: of the records k with the same
// k % stride as next, those before next.
type position struct{ stride, next int64 }

func (s Source[T]) encode(p position) engine.Split {
	b := append(make([]byte, 0, 48), splitVersion, byte(len(s.kind)))
	b = append(b, s.kind...)
	b = binary.AppendUvarint(b, s.options.Seed)
	for _, v := range [...]int64{s.options.RatePerSecond, s.options.Keys, p.stride, p.next} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

// decode reads a split and checks that the same source made it. Only the number
// of events may differ, so that a run can be prolonged.
func (s Source[T]) decode(split engine.Split) (position, error) {
	if len(split) < 2 || split[0] != splitVersion {
		return position{}, fmt.Errorf("%w: unknown encoding %.16x: the checkpoint is of another source or a newer version", ErrSplit, []byte(split))
	}
	kind, rest := int(split[1]), split[2:]
	if kind > len(rest) {
		return position{}, fmt.Errorf("%w: cut short", ErrSplit)
	}
	if got := string(rest[:kind]); got != s.kind {
		return position{}, fmt.Errorf("%w: it is of generator %q: start the job afresh, or with the generator it had", ErrSplit, got)
	}
	rest = rest[kind:]
	var fields [5]uint64
	for i := range fields {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			return position{}, fmt.Errorf("%w: cut short", ErrSplit)
		}
		fields[i], rest = v, rest[n:]
	}
	if len(rest) > 0 {
		return position{}, fmt.Errorf("%w: %d bytes too long", ErrSplit, len(rest))
	}
	for i, option := range [...]struct {
		name string
		is   uint64
	}{{"seed", s.options.Seed}, {"rate", uint64(s.options.RatePerSecond)}, {"keys", uint64(s.options.Keys)}} {
		if fields[i] != option.is {
			return position{}, fmt.Errorf("%w: %s was %d and is %d: start the job afresh, or with the %s it had", ErrSplit, option.name, fields[i], option.is, option.name)
		}
	}
	p := position{stride: int64(fields[3]), next: int64(fields[4])}
	if p.stride < 1 || p.next < 0 || p.stride > 1<<32 {
		return position{}, fmt.Errorf("%w: position %d in steps of %d", ErrSplit, p.next, p.stride)
	}
	return p, nil
}
