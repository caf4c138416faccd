package engine

import "time"

// Out takes the results of an operator. It belongs to the operator's goroutine.
type Out[U any] struct{ b *buffer[U] }

// Emit sends v to the consumers. If a consumer fails, the operator fails with it;
// Emit itself returns no error.
func (o Out[U]) Emit(v U) {
	if o.b.records = append(o.b.records, v); len(o.b.records) >= o.b.size {
		_ = o.b.flush() // kept in the buffer
	}
}

// target takes batches of records: a chained operator or an exchange. The
// slice is the caller's again when push returns.
type target[T any] interface {
	push(records []T) error
}

// buffer gathers the results of an operator until there is a batch.
type buffer[U any] struct {
	op      *opInfo
	records []U // flush empties it once there are size
	size    int // at most the capacity of records, and what the targets process in barrierWait
	tempo   tempo
	targets []target[U]
	err     error // the first of a target; from then on records are dropped
}

func (b *buffer[U]) flush() error {
	if len(b.records) > 0 {
		records := b.records
		b.records = b.records[:0]
		return b.pass(records)
	}
	return b.err
}

// pass hands a batch to the targets.
func (b *buffer[U]) pass(records []U) error {
	b.op.counters.out.Add(int64(len(records)))
	if !b.tempo.due() {
		return b.hand(records)
	}
	bytes, start := sampleBytes(records), time.Now()
	err := b.hand(records)
	b.tempo.note(len(records), bytes, time.Since(start))
	b.size = b.tempo.within(barrierWait, cap(b.records))
	return err
}

func (b *buffer[U]) hand(records []U) error {
	for _, t := range b.targets {
		if b.err != nil {
			break
		}
		b.err = t.push(records)
	}
	return b.err
}
