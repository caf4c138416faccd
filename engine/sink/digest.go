package sink

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/state"
)

// Hasher is a row that has a hash.
type Hasher interface{ Hash() uint64 }

// Digest sums up the hashes of all rows, wrapping, and counts them: it depends
// on no order, and a row that is lost or doubled shows. The sums are operator
// state, so they survive restarts and rescaling; result is brought up to date
// when a checkpoint is committed, and at the end of a run. It must not be
// shared with another sink.
func Digest[T Hasher](result *DigestResult) engine.Sink[T] { return &digest[T]{result: result} }

// DigestResult is the digest of the rows of all committed checkpoints. The
// zero value is ready; its method may be called from any goroutine. While a job
// runs, subtasks that have committed nothing in the attempt yet are left out.
type DigestResult struct {
	mu    sync.Mutex
	parts map[int]total // by subtask, all of the newest attempt
	epoch checkpoint.Epoch
	try   checkpoint.Attempt
}

// total is what a subtask has seen, the part of earlier attempts that it
// restored included.
type total struct {
	number uint64 // of its totals in this attempt; rising
	sum    uint64
	rows   int64
}

// Sum returns the wrapping sum of the rows' hashes, and their number.
func (r *DigestResult) Sum() (digest uint64, rows int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.parts {
		digest += t.sum
		rows += t.rows
	}
	return digest, rows
}

// take notes committed totals; doubled and late ones do no harm (I6).
func (r *DigestResult) take(pending [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range pending {
		d := decoder{rest: b}
		d.version(digestVersion)
		epoch, try := checkpoint.Epoch(d.uvarint()), checkpoint.Attempt(d.uvarint())
		index := int(d.uvarint())
		t := total{number: d.uvarint(), sum: d.uvarint(), rows: int64(d.uvarint())}
		if err := d.end(); err != nil {
			return engine.Permanent(fmt.Errorf("digest: %w", err))
		}
		switch c := cmp.Or(cmp.Compare(epoch, r.epoch), cmp.Compare(try, r.try)); {
		case c < 0:
			continue
		case c > 0:
			r.epoch, r.try, r.parts = epoch, try, nil
		}
		if r.parts == nil {
			r.parts = make(map[int]total)
		}
		if was, ok := r.parts[index]; !ok || was.number < t.number {
			r.parts[index] = t
		}
	}
	return nil
}

type digest[T Hasher] struct{ result *DigestResult }

// Recover implements engine.Sink: what a restored checkpoint holds is all that
// counts.
func (s *digest[T]) Recover(_ context.Context, r engine.Recovery) error {
	s.result.mu.Lock()
	s.result.epoch, s.result.try, s.result.parts = 0, 0, nil
	s.result.mu.Unlock()
	return s.result.take(r.Pending)
}

// restoredTotal is the item of a subtask's operator state.
type restoredTotal struct {
	Sum  uint64
	Rows int64
}

func (s *digest[T]) Open(c engine.SinkContext) (engine.Writer[T], error) {
	w := &digestWriter[T]{result: s.result, context: c}
	w.saved = state.NewOperatorList[restoredTotal](c, "digest", checkpoint.Split)
	items, err := w.saved.Get()
	if err != nil {
		return nil, fmt.Errorf("restore digest: %w", err)
	}
	for _, t := range items {
		w.total.sum += t.Sum
		w.total.rows += t.Rows
	}
	return w, nil
}

type digestWriter[T Hasher] struct {
	result  *DigestResult
	context engine.SinkContext
	saved   state.OperatorList[restoredTotal]
	total   total
}

func (w *digestWriter[T]) Write(_ context.Context, batch []T) error {
	for i := range batch {
		w.total.sum += batch[i].Hash()
	}
	w.total.rows += int64(len(batch))
	return nil
}

// digestVersion is the first byte of an encoded total. What follows, as
// uvarints: epoch, attempt, index, number, sum, rows.
const digestVersion = 1

func (w *digestWriter[T]) Prepare(context.Context, checkpoint.ID) ([]byte, error) {
	if err := w.saved.Set([]restoredTotal{{w.total.sum, w.total.rows}}); err != nil {
		return nil, fmt.Errorf("save digest: %w", err)
	}
	w.total.number++
	b := []byte{digestVersion}
	for _, v := range [...]uint64{uint64(w.context.Epoch), uint64(w.context.Attempt), uint64(w.context.Index), w.total.number, w.total.sum, uint64(w.total.rows)} {
		b = binary.AppendUvarint(b, v)
	}
	return b, nil
}

func (w *digestWriter[T]) Publish(_ context.Context, pending [][]byte) error {
	return w.result.take(pending)
}

func (w *digestWriter[T]) Close() error { return nil }
