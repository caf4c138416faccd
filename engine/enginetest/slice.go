package enginetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/tidemark/tidemark/engine"
)

// FromSlice is a source of the records, in order. Each subtask gets a contiguous
// part. Attempts share the records, so nobody may change them.
func FromSlice[T any](records ...T) *SliceSource[T] { return &SliceSource[T]{records: records} }

// SliceSource is a bounded source in memory.
type SliceSource[T any] struct {
	records []T
	pause   time.Duration
	most    int
}

// Slowly returns a source whose reads pause, and then return at most n records:
// it leaves time to act while the job runs.
func (s *SliceSource[T]) Slowly(n int, pause time.Duration) *SliceSource[T] {
	return &SliceSource[T]{s.records, pause, n}
}

// Splits implements engine.Source.
func (s *SliceSource[T]) Splits(_ context.Context, parallelism int) ([]engine.Split, error) {
	var splits []engine.Split
	for i := range parallelism {
		start, end := i*len(s.records)/parallelism, (i+1)*len(s.records)/parallelism
		splits = append(splits, sliceSplit{start, end}.encode())
	}
	return splits, nil
}

// Open implements engine.Source.
func (s *SliceSource[T]) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[T], error) {
	r := &sliceReader[T]{source: s}
	for _, split := range splits {
		next, n := binary.Uvarint(split)
		end, m := binary.Uvarint(split[max(n, 0):])
		if n <= 0 || m <= 0 || next > end || end > uint64(len(s.records)) {
			return nil, fmt.Errorf("split %x does not fit a slice of %d records", []byte(split), len(s.records))
		}
		r.splits = append(r.splits, sliceSplit{int(next), int(end)})
	}
	return r, nil
}

// sliceSplit is the part of the slice that is left to read.
type sliceSplit struct{ next, end int }

func (s sliceSplit) encode() engine.Split {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(s.next)), uint64(s.end))
}

type sliceReader[T any] struct {
	source *SliceSource[T]
	splits []sliceSplit
	at     int
	due    time.Time // the end of the pause; zero: none has begun
}

func (r *sliceReader[T]) Read(ctx context.Context, dst []T) ([]T, error) {
	for r.at < len(r.splits) && r.splits[r.at].next == r.splits[r.at].end {
		r.at++
	}
	if r.at == len(r.splits) {
		return dst, io.EOF
	}
	if r.source.pause > 0 {
		if r.due.IsZero() {
			r.due = time.Now().Add(r.source.pause)
		}
		select {
		case <-time.After(time.Until(r.due)):
			r.due = time.Time{}
		case <-ctx.Done():
			return dst, nil // the pause goes on in the next Read
		}
	}
	s := &r.splits[r.at]
	n := min(cap(dst)-len(dst), s.end-s.next)
	if r.source.most > 0 {
		n = min(n, r.source.most)
	}
	dst = append(dst, r.source.records[s.next:s.next+n]...)
	s.next += n
	return dst, nil
}

func (r *sliceReader[T]) Splits() []engine.Split {
	var splits []engine.Split
	for _, s := range r.splits {
		splits = append(splits, s.encode())
	}
	return splits
}

func (r *sliceReader[T]) Close() error { return nil }
