package engine_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// numbers is a source of n numbers.
type numbers struct{ n uint64 }

func (s numbers) Splits(_ context.Context, parallelism int) ([]engine.Split, error) {
	var splits []engine.Split
	for range parallelism {
		splits = append(splits, binary.AppendUvarint(nil, s.n/uint64(parallelism)))
	}
	return splits, nil
}

func (s numbers) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[uint64], error) {
	n, _ := binary.Uvarint(splits[0])
	return &numberReader{left: n}, nil
}

type numberReader struct{ left uint64 }

func (r *numberReader) Read(_ context.Context, dst []uint64) ([]uint64, error) {
	for ; len(dst) < cap(dst) && r.left > 0; r.left-- {
		dst = append(dst, r.left)
	}
	if r.left == 0 {
		return dst, io.EOF
	}
	return dst, nil
}
func (r *numberReader) Splits() []engine.Split {
	return []engine.Split{binary.AppendUvarint(nil, r.left)}
}
func (r *numberReader) Close() error { return nil }

// tally counts in plain fields, so that the engine is all that is measured.
type tally struct{ counts [1024]int }

func (c *tally) Open(engine.OpenContext) error { return nil }
func (c *tally) Process(ctx engine.Context[uint64], v uint64, out engine.Out[uint64]) error {
	c.counts[ctx.Key()]++
	out.Emit(v)
	return nil
}

// BenchmarkPipeline is source → map → keyed count → discard; an op is a record.
func BenchmarkPipeline(b *testing.B) {
	for _, c := range []struct {
		name        string
		parallelism int
	}{{"p=1", 1}, {"p=2", 2}, {"p=8", 8}} {
		b.Run(c.name, func(b *testing.B) {
			j := engine.NewJob("bench")
			mapped := engine.Map(engine.From(j, "in", numbers{uint64(b.N)}), "map", func(v uint64) uint64 { return v * 3 })
			engine.Process(engine.KeyBy(mapped, func(v uint64) uint64 { return v % 1024 }), "count",
				func() engine.Processor[uint64, uint64, uint64] { return &tally{} }).To("out", enginetest.Discard[uint64]())
			b.ReportAllocs()
			enginetest.Run(b, j, enginetest.Parallelism(c.parallelism))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkPassThrough has no exchange: source → map → discard.
func BenchmarkPassThrough(b *testing.B) {
	j := engine.NewJob("bench")
	engine.Map(engine.From(j, "in", numbers{uint64(b.N)}), "map", func(v uint64) uint64 { return v * 3 }).To("out", enginetest.Discard[uint64]())
	b.ReportAllocs()
	enginetest.Run(b, j, enginetest.Parallelism(1))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
