package engine_test

import (
	gocontext "context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// letters is a source of records that refer to the same bytes, and counts those that it
// has read and nobody has processed.
type letters struct {
	records  int
	text     string
	inFlight *atomic.Int64
	most     *int64
}

type letter struct {
	n    int
	page []struct{ text string }
}

func (l letters) Splits(gocontext.Context, int) ([]engine.Split, error) {
	return []engine.Split{binary.AppendUvarint(nil, 0)}, nil
}

func (l letters) Open(engine.SourceContext, []engine.Split) (engine.Reader[letter], error) {
	return &lettersReader{letters: l}, nil
}

type lettersReader struct {
	letters
	next int
}

func (r *lettersReader) Read(_ gocontext.Context, dst []letter) ([]letter, error) {
	for len(dst) < cap(dst) {
		if r.next == r.records {
			return dst, io.EOF
		}
		r.next++
		*r.most = max(*r.most, r.inFlight.Add(1))
		dst = append(dst, letter{r.next, []struct{ text string }{{r.text}}})
	}
	return dst, nil
}

func (r *lettersReader) Splits() []engine.Split {
	return []engine.Split{binary.AppendUvarint(nil, uint64(r.next))}
}
func (r *lettersReader) Close() error { return nil }

type opener struct{ inFlight *atomic.Int64 }

func (o opener) Open(engine.OpenContext) error { return nil }
func (o opener) Process(engine.Context[int], letter, engine.Out[int]) error {
	o.inFlight.Add(-1)
	return nil
}

// I12: the memory of what is in flight has a bound, however large records are.
func TestLargeRecordsTravelInSmallBatches(t *testing.T) {
	for _, c := range []struct{ bytes, records, least, most int }{
		{16, 50_000, 100, 1 << 20},
		{64 << 10, 20_000, 1, 24}, // 512 KiB in the queue
		{1 << 20, 10_000, 1, 12},  // one at each place
	} {
		var inFlight atomic.Int64
		most := int64(0)
		j := engine.NewJob("letters")
		in := engine.From(j, "in", engine.Source[letter](letters{c.records, string(make([]byte, c.bytes)), &inFlight, &most}), engine.Parallelism(1))
		engine.Process(engine.KeyBy(in, func(l letter) int { return l.n }), "open", func() engine.Processor[int, letter, int] { return opener{&inFlight} }, engine.Parallelism(1)).
			To("out", enginetest.Discard[int]())
		enginetest.Run(t, j)
		t.Logf("at most %d records of %d bytes in flight", most, c.bytes)
		if most < int64(c.least) || most > int64(c.most) {
			t.Errorf("at most %d records of %d bytes in flight", most, c.bytes)
		}
	}
}
