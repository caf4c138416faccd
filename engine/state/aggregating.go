package state

// Aggregate says how inputs become an accumulator, and an accumulator a result.
type Aggregate[In, Acc, Out any] struct {
	New    func() Acc // nil: the accumulator starts as the zero Acc
	Add    func(acc Acc, v In) Acc
	Result func(acc Acc) Out
	// Merge returns the accumulator of the inputs of a followed by those of b; a
	// and b both started with New. With Merge, adding to a key does not read its
	// accumulator; nil: it does. Merge must be pure (it depends on its arguments
	// alone, changes neither, and any goroutine may call it any number of times),
	// associative, and agree with Add.
	Merge func(a, b Acc) Acc
}

// Aggregating is an accumulator for each key and namespace. Open it with
// NewAggregating.
type Aggregating[In, Acc, Out any] struct {
	store     valueStore[Acc]
	aggregate Aggregate[In, Acc, Out]
}

// NewAggregating opens the aggregating state name of an operator.
func NewAggregating[In, Acc, Out any](c OpenContext, name string, a Aggregate[In, Acc, Out], opts ...Option) Aggregating[In, Acc, Out] {
	return Aggregating[In, Acc, Out]{openValue(c, KindAggregating, name, opts, a.Merge), a}
}

// Add adds v to the accumulator of the current key.
func (s Aggregating[In, Acc, Out]) Add(c Context, v In) error {
	return add(s.store, c.Current(), func(acc Acc, found bool) Acc {
		if !found && s.aggregate.New != nil {
			acc = s.aggregate.New()
		}
		return s.aggregate.Add(acc, v)
	})
}

// Get returns the result for the current key, and whether anything was added to
// it.
func (s Aggregating[In, Acc, Out]) Get(c Context) (out Out, found bool, err error) {
	acc, found, err := s.store.get(c.Current())
	if err != nil || !found {
		return out, false, err
	}
	return s.aggregate.Result(acc), true, nil
}

// Clear removes the accumulator of the current key.
func (s Aggregating[In, Acc, Out]) Clear(c Context) error { return s.store.clear(c.Current()) }
