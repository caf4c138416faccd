package nexmark

import (
	"context"
	"fmt"
	"io"

	"github.com/tidemark/tidemark/engine"
)

// Source generates records from a seed. It is an engine.Source. Splits deal the
// records out by number; where subtasks are few there are more splits than
// subtasks, so that a job can be rescaled.
type Source[T any] struct {
	kind    string
	options Options
	records int64
	fill    func(o Options, k int64, v *T)
}

// minSplits is the least number of splits. Each subtask gets equally many, so
// subtask k % parallelism reads the k-th record.
const minSplits = 16

// Bids is the source of the bids.
func Bids(o Options) Source[Bid] {
	return Source[Bid]{"bids", o.withDefaults(), o.bids(),
		func(o Options, k int64, v *Bid) { o.bid(bidEvent(k), v) }}
}

// Prices is the source of the bids without their text, which is cheaper to
// generate.
func Prices(o Options) Source[Price] {
	return Source[Price]{"prices", o.withDefaults(), o.bids(),
		func(o Options, k int64, v *Price) {
			n := bidEvent(k)
			_, v.Auction, _, v.Price = o.bidPrice(n)
			v.DateTime = o.timeMillis(n)
		}}
}

// Events is the source of all events.
func Events(o Options) Source[Event] {
	return Source[Event]{"events", o.withDefaults(), o.Events, Options.event}
}

// CountKeys is the source of the keys of the workload count.
func CountKeys(o Options) Source[uint64] {
	return Source[uint64]{"count", o.withDefaults(), o.Events,
		func(o Options, k int64, v *uint64) { *v = o.countKey(k) }}
}

// HotCountKeys is the source of the keys of the workload count-hot.
func HotCountKeys(o Options) Source[uint64] {
	return Source[uint64]{"count-hot", o.withDefaults(), o.Events,
		func(o Options, k int64, v *uint64) { *v = o.hotCountKey(k) }}
}

// Numbers is the source of the events' numbers, from zero.
func Numbers(o Options) Source[int64] {
	return Source[int64]{"numbers", o.withDefaults(), o.Events, func(_ Options, k int64, v *int64) { *v = k }}
}

// Validate reports what is wrong with the source's options.
func (s Source[T]) Validate() error { return s.options.Validate() }

// Records is how many records the source has.
func (s Source[T]) Records() int64 { return s.records }

// Splits implements engine.Source.
func (s Source[T]) Splits(_ context.Context, parallelism int) ([]engine.Split, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if parallelism < 1 {
		return nil, fmt.Errorf("%w: parallelism %d: must be positive", ErrOptions, parallelism)
	}
	stride := int64((minSplits + parallelism - 1) / parallelism * parallelism)
	splits := make([]engine.Split, stride)
	for i := range splits {
		splits[i] = s.encode(position{stride: stride, next: int64(i)})
	}
	return splits, nil
}

// Open implements engine.Source.
func (s Source[T]) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[T], error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	r := &reader[T]{source: s, positions: make([]position, len(splits))}
	for i, split := range splits {
		p, err := s.decode(split)
		if err != nil {
			return nil, fmt.Errorf("open split %d of generator %s: %w", i, s.kind, err)
		}
		r.positions[i] = p
	}
	return r, nil
}

// reader takes a record of each of its splits in turn. So it keeps the order of
// the events where all splits are equally far.
type reader[T any] struct {
	source    Source[T]
	positions []position
	turn      int // the split to read next
	done      int // splits without a record, in a row
}

func (r *reader[T]) Read(ctx context.Context, dst []T) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	for len(dst) < cap(dst) {
		if r.done == len(r.positions) {
			return dst, io.EOF
		}
		p := &r.positions[r.turn]
		if r.turn++; r.turn == len(r.positions) {
			r.turn = 0
		}
		if p.next >= r.source.records {
			r.done++
			continue
		}
		r.done = 0
		dst = dst[:len(dst)+1]
		r.source.fill(r.source.options, p.next, &dst[len(dst)-1])
		p.next += p.stride
	}
	return dst, nil
}

func (r *reader[T]) Splits() []engine.Split {
	splits := make([]engine.Split, len(r.positions))
	for i, p := range r.positions {
		splits[i] = r.source.encode(p)
	}
	return splits
}

func (r *reader[T]) Close() error { return nil }
