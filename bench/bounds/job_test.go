package bounds_test

import (
	gocontext "context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
)

// phase is a number of records that do the same.
type phase struct {
	does    string
	records int64
	key     func(i int64) int64
	do      func(p *processor, c context, i int64) error
}

// phasesOf returns what is done with n keys of one entry each and, where rows have many
// entries, with one row of n.
func phasesOf(n int64, manyEntries bool) []phase {
	same := func(i int64) int64 { return i }
	random := func(i int64) int64 { return int64(uint64(i) * 0x9e3779b97f4a7c15 >> 1 % uint64(n)) }
	all := []phase{
		{"fill", n, same, func(p *processor, c context, i int64) error { return p.put(c, 0) }},
		{"point", n / 2, random, func(p *processor, c context, i int64) error {
			if err := p.get(c, 0); err != nil {
				return err
			}
			return p.put(c, 0)
		}},
		{"read ahead", n, same, func(p *processor, c context, i int64) error { return p.get(c, 0) }},
	}
	if !manyEntries {
		return append(all, phase{"clear", n / 2, same, func(p *processor, c context, _ int64) error {
			err := p.state.clear(c)
			p.step()
			return err
		}})
	}
	row := func(int64) int64 { return -1 }
	put := func(p *processor, c context, i int64) error { return p.put(c, i) }
	return append(all,
		phase{"fill row", n, row, put},
		phase{"scan row", 2, row, func(p *processor, c context, _ int64) error { return p.scan(c, n) }},
		phase{"clear row", n/4 + 2, row, func(p *processor, c context, i int64) error {
			switch i {
			case 0:
				return p.row(n, func() error { return p.state.clear(c) })
			case n/4 + 1:
				return p.row(n/4, func() error { return p.state.clear(c) })
			}
			return put(p, c, i)
		}},
		phase{"refill row", n / 4, row, put},
	)
}

// script is the records of all phases, as a source of their numbers.
type script []phase

// at returns the phase of record n, and its number in it.
func (s script) at(n int64) (*phase, int64) {
	for i := range s {
		if n < s[i].records {
			return &s[i], n
		}
		n -= s[i].records
	}
	panic("no such record")
}

func (s script) key(n int64) int64 {
	p, i := s.at(n)
	return p.key(i)
}

func (s script) Splits(gocontext.Context, int) ([]engine.Split, error) {
	return []engine.Split{binary.AppendUvarint(nil, 0)}, nil
}

func (s script) Open(_ engine.SourceContext, splits []engine.Split) (engine.Reader[int64], error) {
	next, _ := binary.Uvarint(splits[0])
	r := &scriptReader{next: int64(next)}
	for _, p := range s {
		r.end += p.records
	}
	return r, nil
}

type scriptReader struct{ next, end int64 }

func (r *scriptReader) Read(_ gocontext.Context, dst []int64) ([]int64, error) {
	for len(dst) < cap(dst) {
		if r.next == r.end {
			return dst, io.EOF
		}
		dst = append(dst, r.next)
		r.next++
	}
	return dst, nil
}

func (r *scriptReader) Splits() []engine.Split {
	return []engine.Split{binary.AppendUvarint(nil, uint64(r.next))}
}

func (r *scriptReader) Close() error { return nil }

// processor does what the script says, and measures.
type processor struct {
	*meter
	script script
	open   func(opening) held
	state  held
	phase  *phase
	value  []byte
}

func (p *processor) Open(c opening) error {
	p.state = p.open(c)
	return nil
}

func (p *processor) Process(c context, n int64, _ engine.Out[int64]) error {
	phase, i := p.script.at(n)
	if phase != p.phase {
		runtime.LockOSThread()
		if err := p.begin(phase.does); err != nil {
			return err
		}
		p.phase = phase
	}
	return phase.do(p, c, i)
}

// FinishKey reads what is left of a key.
func (p *processor) FinishKey(c context, _ engine.Out[int64]) error {
	if p.phase != nil {
		p.phase = nil
		if err := p.begin("finish keys"); err != nil {
			return err
		}
	}
	if s, ok := p.state.(rows); ok {
		for _, err := range s.all(c) {
			if err != nil {
				return err
			}
			p.step()
		}
		return nil
	}
	return p.get(c, 0)
}

func (p *processor) Finish(engine.Out[int64]) error {
	p.done.Store(true)
	return p.end()
}

// put writes an entry, which says whose it is.
func (p *processor) put(c context, entry int64) error {
	binary.BigEndian.PutUint64(p.value, uint64(c.Key()))
	binary.BigEndian.PutUint64(p.value[8:], uint64(entry))
	err := p.state.put(c, entry, p.value)
	p.step()
	return err
}

func (p *processor) get(c context, entry int64) error {
	v, err := p.state.get(c, entry)
	p.step()
	return p.check(c, v, err)
}

func (p *processor) check(c context, v []byte, err error) error {
	if err == nil && (len(v) != len(p.value) || int64(binary.BigEndian.Uint64(v)) != c.Key()) {
		return fmt.Errorf("key %d holds %d bytes of another", c.Key(), len(v))
	}
	return err
}

func (p *processor) scan(c context, want int64) error {
	n := int64(0)
	for v, err := range p.state.(rows).all(c) {
		if err := p.check(c, v, err); err != nil {
			return err
		}
		p.step()
		n++
	}
	if n != want {
		return fmt.Errorf("a scan met %d entries, want %d", n, want)
	}
	return nil
}

// jobOf makes the job of a kind of state and a size of its values. It keeps several
// times the budgets of the run.
func jobOf(open func(opening) held, manyEntries bool, valueBytes int, m *meter) *engine.Job {
	n := max(96, min(40_000, int64(96<<20/valueBytes)))
	m.often = max(1, 4<<10/int64(valueBytes))
	s := script(phasesOf(n, manyEntries))
	j := engine.NewJob("bounds")
	in := engine.From(j, "in", engine.Source[int64](s), engine.Parallelism(1))
	engine.Process(engine.KeyBy(in, s.key), "keep", func() engine.Processor[int64, int64, int64] {
		value := make([]byte, valueBytes)
		_, _ = rand.NewChaCha8([32]byte{}).Read(value) // it does not compress
		return &processor{meter: m, script: s, open: open, value: value}
	}).To("out", enginetest.Discard[int64]())
	return j
}
