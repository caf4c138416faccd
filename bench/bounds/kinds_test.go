package bounds_test

import (
	"bytes"
	"iter"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/state"
)

type (
	opening = engine.OpenContext
	context = engine.Context[int64]
)

// held is a state of some kind. A row of it has one entry, or many.
type held interface {
	put(c context, entry int64, v []byte) error
	get(c context, entry int64) ([]byte, error) // nil: there is none
	clear(c context) error
}

// rows is a state whose rows have many entries.
type rows interface {
	held
	all(c context) iter.Seq2[[]byte, error]
}

// kinds are the kinds of state of the matrix.
var kinds = []struct {
	name string
	open func(opening) held
}{
	{"value", func(c opening) held { return values{state.NewValue[[]byte](c, "s")} }},
	{"list", func(c opening) held { return lists{state.NewList[[]byte](c, "s")} }},
	{"map", func(c opening) held { return maps{state.NewMap[int64, []byte](c, "s")} }},
	{"reducing", func(c opening) held { return reducings{state.NewReducing(c, "s", greater)} }},
	{"aggregating", func(c opening) held {
		return aggregatings{state.NewAggregating(c, "s", state.Aggregate[[]byte, []byte, []byte]{
			Add: greater, Merge: greater, Result: func(acc []byte) []byte { return acc },
		})}
	}},
}

func greater(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

type values struct{ state.Value[[]byte] }

func (s values) put(c context, _ int64, v []byte) error       { return s.Set(c, v) }
func (s values) get(c context, _ int64) (v []byte, err error) { v, _, err = s.Get(c); return v, err }
func (s values) clear(c context) error                        { return s.Clear(c) }

type lists struct{ state.List[[]byte] }

func (s lists) put(c context, _ int64, v []byte) error { return s.Add(c, v) }
func (s lists) clear(c context) error                  { return s.Clear(c) }
func (s lists) all(c context) iter.Seq2[[]byte, error] { return s.All(c) }

func (s lists) get(c context, _ int64) (last []byte, err error) {
	for v, err := range s.All(c) {
		if err != nil {
			return nil, err
		}
		last = v
	}
	return last, nil
}

type maps struct{ state.Map[int64, []byte] }

func (s maps) put(c context, entry int64, v []byte) error { return s.Set(c, entry, v) }
func (s maps) clear(c context) error                      { return s.Clear(c) }

func (s maps) get(c context, entry int64) (v []byte, err error) {
	v, _, err = s.Get(c, entry)
	return v, err
}

func (s maps) all(c context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range s.All(c) {
			if !yield(e.Value, err) {
				return
			}
		}
	}
}

type reducings struct{ state.Reducing[[]byte] }

func (s reducings) put(c context, _ int64, v []byte) error { return s.Add(c, v) }
func (s reducings) get(c context, _ int64) (v []byte, err error) {
	v, _, err = s.Get(c)
	return v, err
}
func (s reducings) clear(c context) error { return s.Clear(c) }

type aggregatings struct {
	state.Aggregating[[]byte, []byte, []byte]
}

func (s aggregatings) put(c context, _ int64, v []byte) error { return s.Add(c, v) }
func (s aggregatings) get(c context, _ int64) (v []byte, err error) {
	v, _, err = s.Get(c)
	return v, err
}
func (s aggregatings) clear(c context) error { return s.Clear(c) }
