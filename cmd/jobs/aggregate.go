package jobs

import (
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/state"
)

// aggregation says what is kept for a key, and which row shows it.
type aggregation[K comparable, T, S, U any] struct {
	// update takes a record into s, which is zero where found is false, and
	// reports whether that changes anything.
	update func(s *S, found bool, v T) (changed bool)
	row    func(K, S) U
}

// aggregate runs an aggregation over a keyed stream, and emits what the options
// say.
func aggregate[K comparable, T, S, U any](b *builder, s engine.KeyedStream[K, T], operator string, a aggregation[K, T, S, U]) engine.Stream[U] {
	return engine.Process(s, operator, func() engine.Processor[K, T, U] {
		if b.options.Emit == Changes {
			return &changes[K, T, S, U]{a: a}
		}
		return &final[K, T, S, U]{changes[K, T, S, U]{a: a, silent: true}}
	})
}

// changes emits a key's row whenever it changes.
type changes[K comparable, T, S, U any] struct {
	at     S // what is known of the key at hand; here, so that it is no garbage
	a      aggregation[K, T, S, U]
	silent bool
	known  state.Value[S]
}

func (p *changes[K, T, S, U]) Open(c engine.OpenContext) error {
	p.known = state.NewValue[S](c, "known")
	return nil
}

func (p *changes[K, T, S, U]) Process(c engine.Context[K], v T, out engine.Out[U]) error {
	var found bool
	var err error
	if p.at, found, err = p.known.Get(c); err != nil {
		return err
	}
	if !p.a.update(&p.at, found, v) {
		return nil
	}
	if !p.silent {
		out.Emit(p.a.row(c.Key(), p.at))
	}
	return p.known.Set(c, p.at)
}

// final emits each key's row at the end.
type final[K comparable, T, S, U any] struct{ changes[K, T, S, U] }

func (p *final[K, T, S, U]) FinishKey(c engine.Context[K], out engine.Out[U]) error {
	s, found, err := p.known.Get(c)
	if err == nil && found {
		out.Emit(p.a.row(c.Key(), s))
	}
	return err
}
