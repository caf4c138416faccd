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

// Hasher is implemented by rows that Digest can sum up.
type Hasher interface{ Hash() uint64 }

// Digest counts the rows, and sums their hashes with wrap-around. The order of
// rows does not matter; a lost or doubled row changes the sum. The sums are
// operator state, so they survive restarts and rescaling. result is updated when
// a checkpoint is committed, and at the end of a run. No other sink may use the
// same result.
func Digest[T Hasher](result *DigestResult) engine.Sink[T] { return &digest[T]{result: result} }

// DigestResult is the digest of the rows of all committed checkpoints. The zero
// value is ready to use, from any goroutine. While a job runs, subtasks that have
// committed nothing in the current attempt are left out.
type DigestResult struct {
	mu    sync.Mutex
	of    execution
	parts map[int]total // by subtask
}

// execution names the attempt in which totals were counted.
type execution struct {
	epoch   checkpoint.Epoch
	attempt checkpoint.Attempt
	ended   bool // they were restored
}

func (e execution) compare(o execution) int {
	return cmp.Or(cmp.Compare(e.epoch, o.epoch), cmp.Compare(e.attempt, o.attempt))
}

// total is what a subtask has seen, including what it restored of earlier
// attempts.
type total struct {
	number uint64 // counts its totals in this attempt
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

// restore replaces all totals by those in a checkpoint, of the newest attempt
// there.
func (r *DigestResult) restore(pending [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of, r.parts = execution{ended: true}, map[int]total{}
	for _, b := range pending {
		of, index, t, err := decodeTotal(b)
		if err != nil {
			return err
		}
		of.ended = true
		if c := of.compare(r.of); c > 0 {
			r.of, r.parts = of, map[int]total{}
		} else if c < 0 {
			continue
		}
		r.keep(index, t)
	}
	return nil
}

// commit takes over totals that an attempt committed. It may be called twice and
// late (I6).
func (r *DigestResult) commit(running execution, pending [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range pending {
		of, index, t, err := decodeTotal(b)
		if err != nil {
			return err
		}
		if of != running {
			continue
		}
		if r.of != running {
			r.of, r.parts = running, map[int]total{}
		}
		r.keep(index, t)
	}
	return nil
}

func (r *DigestResult) keep(index int, t total) {
	if was, ok := r.parts[index]; !ok || was.number < t.number {
		r.parts[index] = t
	}
}

type digest[T Hasher] struct{ result *DigestResult }

// Recover implements engine.Sink. Only what the restored checkpoint holds counts.
func (s *digest[T]) Recover(_ context.Context, r engine.Recovery) error {
	return s.result.restore(r.Pending)
}

// restoredTotal is an item of the sink's operator state.
type restoredTotal struct {
	Sum  uint64
	Rows int64
}

func (s *digest[T]) Open(c engine.SinkContext) (engine.Writer[T], error) {
	w := &digestWriter[T]{result: s.result, of: execution{epoch: c.Epoch, attempt: c.Attempt}, index: c.Index}
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
	result *DigestResult
	of     execution
	index  int
	saved  state.OperatorList[restoredTotal]
	total  total
}

func (w *digestWriter[T]) Write(_ context.Context, batch []T) error {
	for i := range batch {
		w.total.sum += batch[i].Hash()
	}
	w.total.rows += int64(len(batch))
	return nil
}

func (w *digestWriter[T]) Prepare(context.Context, checkpoint.ID) ([]byte, error) {
	if err := w.saved.Set([]restoredTotal{{w.total.sum, w.total.rows}}); err != nil {
		return nil, fmt.Errorf("save digest: %w", err)
	}
	w.total.number++
	return encodeTotal(w.of, w.index, w.total), nil
}

func (w *digestWriter[T]) Publish(_ context.Context, pending [][]byte) error {
	return w.result.commit(w.of, pending)
}

func (w *digestWriter[T]) Close() error { return nil }

// digestVersion is the first byte of an encoded total. What follows, as
// uvarints: epoch, attempt, index, number, sum, rows.
const digestVersion = 1

func encodeTotal(of execution, index int, t total) []byte {
	b := []byte{digestVersion}
	for _, v := range [...]uint64{uint64(of.epoch), uint64(of.attempt), uint64(index), t.number, t.sum, uint64(t.rows)} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func decodeTotal(b []byte) (of execution, index int, t total, err error) {
	d := decoder{rest: b}
	d.version(digestVersion)
	of = execution{epoch: checkpoint.Epoch(d.uvarint()), attempt: checkpoint.Attempt(d.uvarint())}
	index = int(d.uvarint())
	t = total{number: d.uvarint(), sum: d.uvarint(), rows: int64(d.uvarint())}
	if err := d.end(); err != nil {
		return of, index, t, engine.Permanent(fmt.Errorf("digest: %w", err))
	}
	return of, index, t, nil
}
