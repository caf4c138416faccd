package state

// Reducing is a value for each key and namespace, into which others are
// reduced. Make it with NewReducing.
type Reducing[V any] struct {
	store  valueStore[V]
	reduce func(a, b V) V
}

// NewReducing opens the reducing state name of an operator. reduce gets the
// older value first. It must be associative, since what is added may be reduced
// by itself before it meets the value, and how much at a time is not the same in
// every run: where floating point rounds, so may the last digits differ. It must
// follow from its arguments alone, and any goroutine may call it.
func NewReducing[V any](c OpenContext, name string, reduce func(a, b V) V, opts ...Option) Reducing[V] {
	return Reducing[V]{openValue(c, KindReducing, name, opts, reduce), reduce}
}

// Get returns the reduced value of the current key, and whether there is one.
func (s Reducing[V]) Get(c Context) (v V, found bool, err error) { return s.store.get(c.Current()) }

// Add reduces v into the value of the current key, which need not be read for it.
func (s Reducing[V]) Add(c Context, v V) error {
	return add(s.store, c.Current(), func(old V, found bool) V {
		if found {
			return s.reduce(old, v)
		}
		return v
	})
}

// Clear removes the value of the current key.
func (s Reducing[V]) Clear(c Context) error { return s.store.clear(c.Current()) }
