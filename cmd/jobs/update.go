package jobs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source/nexmark"
	"github.com/tidemark/tidemark/engine/state"
)

// DefaultValueBytes is the size of a value of update.
const DefaultValueBytes = 100

// entryValue is the value of a key: bytes that do not compress. They depend on the
// key and on the number of the write.
type entryValue struct {
	Writes int64
	Bytes  []byte
}

// KeyWrites is a row of update: how often a key was written.
type KeyWrites struct {
	Key    uint64 `json:"key"`
	Writes int64  `json:"writes"`
}

// Hash implements sink.Hasher.
func (r KeyWrites) Hash() uint64 { return nexmark.Fold(nexmark.Fold(0, r.Key), uint64(r.Writes)) }

// UpdateKeys is the input of the job update: every key once, in order, and then
// keys drawn at random, each as likely as another, or skewed. Record n depends
// on nothing but seed, keys, skew and n.
type UpdateKeys struct {
	Keys, Events int64
	Seed         uint64
	// PerSecond paces the draws by wall time, all readers together; the first
	// write of each key is never paced. Zero: as fast as they are taken.
	PerSecond float64

	zipf *zipf // nil: each key is as likely as another
}

// Key returns the key of record n.
func (u UpdateKeys) Key(n int64) uint64 {
	if n < u.Keys {
		return uint64(n)
	}
	if u.zipf != nil {
		return u.zipf.key(u.Seed, n)
	}
	return nexmark.Fold(u.Seed, uint64(n)) % uint64(u.Keys)
}

// ParseUpdateSplit reads a split as a checkpoint holds it.
func ParseUpdateSplit(split []byte) (s UpdateSplit, err error) {
	rest := split
	for _, field := range []*int64{&s.First, &s.Stride, &s.Read} {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > 1<<62 {
			return UpdateSplit{}, fmt.Errorf("split %x is not a split of the job update", split)
		}
		*field, rest = int64(v), rest[n:]
	}
	if len(rest) > 0 || s.Stride < 1 || s.First >= s.Stride {
		return UpdateSplit{}, fmt.Errorf("split %x is not a split of the job update", split)
	}
	return s, nil
}

// UpdateSplit is a split of UpdateKeys: the records First + i*Stride, of which
// Read were read.
type UpdateSplit struct{ First, Stride, Read int64 }

func (s UpdateSplit) next() int64 { return s.First + s.Read*s.Stride }

func (s UpdateSplit) encode() engine.Split {
	b := binary.AppendUvarint(nil, uint64(s.First))
	b = binary.AppendUvarint(b, uint64(s.Stride))
	return binary.AppendUvarint(b, uint64(s.Read))
}

// Splits implements engine.Source: one a subtask.
func (u UpdateKeys) Splits(_ context.Context, parallelism int) ([]engine.Split, error) {
	splits := make([]engine.Split, parallelism)
	for i := range splits {
		splits[i] = UpdateSplit{First: int64(i), Stride: int64(parallelism)}.encode()
	}
	return splits, nil
}

// Open implements engine.Source.
func (u UpdateKeys) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[uint64], error) {
	r := &updateReader{u: u}
	for _, split := range splits {
		s, err := ParseUpdateSplit(split)
		if err != nil {
			return nil, err
		}
		r.splits = append(r.splits, s)
	}
	return r, nil
}

// updateReader reads its splits one record each in turn.
type updateReader struct {
	u      UpdateKeys
	splits []UpdateSplit
	paced  time.Time // when the first paced record was read
	drawn  int64     // since then
}

// paceSteps is how many times a second records are read when paced: often, so
// that nothing waits long for the reader.
const paceSteps = 100

func (r *updateReader) Read(ctx context.Context, dst []uint64) ([]uint64, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	pacing := r.u.PerSecond > 0 && r.pastLoad()
	limit := cap(dst)
	if pacing {
		limit = min(limit, len(dst)+max(1, int(r.perSecond()/paceSteps)))
	}
	ended, loading := false, false
	for len(dst) < limit && !ended {
		ended = true
		for i := range r.splits {
			s := &r.splits[i]
			n := s.next()
			if n >= r.u.Events {
				continue
			}
			if r.u.PerSecond > 0 && !pacing && n >= r.u.Keys {
				loading = true // draws wait until these splits have no key left
				continue
			}
			ended = false
			if len(dst) == limit {
				break
			}
			dst = append(dst, r.u.Key(n))
			s.Read++
			if pacing {
				r.drawn++
			}
		}
	}
	if ended && !loading {
		return dst, io.EOF
	}
	if pacing {
		return dst, r.wait(ctx)
	}
	return dst, nil
}

func (r *updateReader) pastLoad() bool {
	for _, s := range r.splits {
		if s.next() < r.u.Keys {
			return false
		}
	}
	return len(r.splits) > 0
}

// perSecond is these splits' share of the pace.
func (r *updateReader) perSecond() float64 {
	share := 0.0
	for _, s := range r.splits {
		share += 1 / float64(s.Stride)
	}
	return r.u.PerSecond * share
}

// wait waits until the draws are due.
func (r *updateReader) wait(ctx context.Context) error {
	if r.paced.IsZero() {
		r.paced = time.Now()
	}
	due := r.paced.Add(time.Duration(float64(r.drawn) / r.perSecond() * float64(time.Second)))
	if early := time.Until(due); early > 0 {
		select {
		case <-time.After(early):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *updateReader) Splits() []engine.Split {
	splits := make([]engine.Split, len(r.splits))
	for i, s := range r.splits {
		splits[i] = s.encode()
	}
	return splits
}

func (r *updateReader) Close() error { return nil }

// fillValue makes the bytes of a key's n-th write, which no compression makes
// smaller.
func fillValue(b []byte, key uint64, n int64) {
	x := nexmark.Fold(key, uint64(n))
	for i := 0; i < len(b); i += 8 {
		x = nexmark.Fold(x, uint64(i))
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], x)
		copy(b[i:], word[:])
	}
}

// updating reads, changes and writes a key's value. It emits changes only: at
// the end there is nothing to read the whole state for.
type updating struct {
	valueBytes int
	changes    bool
	value      state.Value[entryValue]
}

func (p *updating) Open(c engine.OpenContext) error {
	p.value = state.NewValue[entryValue](c, "value")
	return nil
}

func (p *updating) Process(c engine.Context[uint64], key uint64, out engine.Out[KeyWrites]) error {
	v, _, err := p.value.Get(c)
	if err != nil {
		return err
	}
	v.Writes++
	v.Bytes = make([]byte, p.valueBytes)
	fillValue(v.Bytes, key, v.Writes)
	if p.changes {
		out.Emit(KeyWrites{key, v.Writes})
	}
	return p.value.Set(c, v)
}

// updatingFinal emits each key at the end.
type updatingFinal struct{ updating }

func (p *updatingFinal) FinishKey(c engine.Context[uint64], out engine.Out[KeyWrites]) error {
	v, found, err := p.value.Get(c)
	if err == nil && found {
		out.Emit(KeyWrites{c.Key(), v.Writes})
	}
	return err
}

// errKeys: the load alone needs an event a key.
var errKeys = errors.New("at least one event a key is needed, to write each once")

// UpdateKeysOf returns the input that the job update has with these options.
func UpdateKeysOf(o Options) UpdateKeys {
	n := o.nexmark()
	u := UpdateKeys{Keys: o.Keys, Events: n.Events, Seed: n.Seed, PerSecond: o.UpdatesPerSecond}
	if u.Keys == 0 {
		u.Keys = nexmark.DefaultKeys
	}
	if o.ZipfExponent > 0 {
		u.zipf = newZipf(o.ZipfExponent, u.Keys)
	}
	return u
}

func update(b *builder) {
	keys := UpdateKeysOf(b.options)
	if keys.Events < keys.Keys {
		b.err = fmt.Errorf("%w: job update: %d events, %d keys: %w", ErrOptions, keys.Events, keys.Keys, errKeys)
		return
	}
	b.results.Records = keys.Events
	valueBytes := b.options.ValueBytes
	if valueBytes == 0 {
		valueBytes = DefaultValueBytes
	}
	byKey := engine.KeyBy(engine.From(b.job, "keys", keys), itself[uint64])
	rows := engine.Process(byKey, "update", func() engine.Processor[uint64, uint64, KeyWrites] {
		p := updating{valueBytes: valueBytes, changes: b.options.Emit == Changes}
		if b.options.Digest && !p.changes {
			return &updatingFinal{p}
		}
		return &p
	})
	output(b, rows, "out", "", true)
}
