package state

// Aggregate says how inputs are gathered into an accumulator, and what comes
// out of it.
type Aggregate[In, Acc, Out any] struct {
	New    func() Acc // nil: the accumulator starts as the zero Acc
	Add    func(acc Acc, v In) Acc
	Result func(acc Acc) Out
	// Merge returns what the inputs of a, and then those of b, make together; a
	// and b both started with New. With it, an accumulator need not be read for
	// something to be added. It must be associative, agree with Add, follow from
	// its arguments alone, and any goroutine may call it; how often is not the same
	// in every run. Nil: Add reads.
	Merge func(a, b Acc) Acc
}

// Aggregating is an accumulator for each key and namespace. Make it with
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

// Get returns the result for the current key, and whether anything was added.
func (s Aggregating[In, Acc, Out]) Get(c Context) (out Out, found bool, err error) {
	acc, found, err := s.store.get(c.Current())
	if err != nil || !found {
		return out, false, err
	}
	return s.aggregate.Result(acc), true, nil
}

// Clear removes the accumulator of the current key.
func (s Aggregating[In, Acc, Out]) Clear(c Context) error { return s.store.clear(c.Current()) }
