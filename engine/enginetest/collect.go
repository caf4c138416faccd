package enginetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// Collect returns an exactly-once sink, and a function that returns the records
// published to it, in the order of checkpoints and, within one, of subtasks.
// Successive Runs may share it.
func Collect[T any]() (engine.Sink[T], func() []T) {
	s := &collectSink[T]{parts: map[uint64]*part[T]{}}
	return s, s.records
}

// collectSink keeps what was prepared under a number. The number travels in the
// checkpoint; publishing it again has no effect.
type collectSink[T any] struct {
	mu    sync.Mutex
	next  uint64
	parts map[uint64]*part[T]
}

// part is what one subtask wrote between two barriers.
type part[T any] struct {
	id        checkpoint.ID
	index     int
	published bool
	records   []T
}

func (s *collectSink[T]) records() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var numbers []uint64
	for n, p := range s.parts {
		if p.published {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, func(a, b uint64) int {
		pa, pb := s.parts[a], s.parts[b]
		if pa.id != pb.id {
			return int(pa.id) - int(pb.id)
		}
		if pa.index != pb.index {
			return pa.index - pb.index
		}
		return int(a) - int(b)
	})
	var all []T
	for _, n := range numbers {
		all = append(all, s.parts[n].records...)
	}
	return all
}

func (s *collectSink[T]) Recover(_ context.Context, r engine.Recovery) error {
	if err := s.publish(r.Pending); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, p := range s.parts {
		switch {
		case !p.published:
			delete(s.parts, n)
		case p.id > r.Restored:
			return fmt.Errorf("output of checkpoint %v is published, but the job starts from %v", p.id, r.Restored)
		}
	}
	return nil
}

func (s *collectSink[T]) Open(c engine.SinkContext) (engine.Writer[T], error) {
	return &collectWriter[T]{sink: s, index: c.Index}, nil
}

func (s *collectSink[T]) publish(pending [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pending {
		part := s.parts[binary.BigEndian.Uint64(p)]
		if part == nil {
			return fmt.Errorf("part %x is to be published, but is gone", p)
		}
		part.published = true
	}
	return nil
}

type collectWriter[T any] struct {
	sink    *collectSink[T]
	index   int
	records []T
}

func (w *collectWriter[T]) Write(_ context.Context, batch []T) error {
	w.records = append(w.records, batch...)
	return nil
}

func (w *collectWriter[T]) Prepare(_ context.Context, id checkpoint.ID) ([]byte, error) {
	if len(w.records) == 0 {
		return nil, nil
	}
	s := w.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.parts[s.next] = &part[T]{id: id, index: w.index, records: w.records}
	w.records = nil
	return binary.BigEndian.AppendUint64(nil, s.next), nil
}

func (w *collectWriter[T]) Publish(_ context.Context, pending [][]byte) error {
	return w.sink.publish(pending)
}

func (w *collectWriter[T]) Close() error { return nil }

// Discard is a sink that keeps nothing.
func Discard[T any]() engine.Sink[T] { return discard[T]{} }

type discard[T any] struct{}

func (discard[T]) Recover(context.Context, engine.Recovery) error         { return nil }
func (discard[T]) Open(engine.SinkContext) (engine.Writer[T], error)      { return discard[T]{}, nil }
func (discard[T]) Write(context.Context, []T) error                       { return nil }
func (discard[T]) Prepare(context.Context, checkpoint.ID) ([]byte, error) { return nil, nil }
func (discard[T]) Publish(context.Context, [][]byte) error                { return nil }
func (discard[T]) Close() error                                           { return nil }
