package state

// Reducing is a value for each key and namespace, into which others are
// reduced. Make it with NewReducing.
type Reducing[V any] struct {
	store  valueStore[V]
	reduce func(a, b V) V
}

// NewReducing opens the reducing state name of an operator; reduce must be
// associative, and gets the older value first.
func NewReducing[V any](c OpenContext, name string, reduce func(a, b V) V, opts ...Option) Reducing[V] {
	return Reducing[V]{openValue[V](c, KindReducing, name, opts), reduce}
}

// Get returns the reduced value of the current key, and whether there is one.
func (s Reducing[V]) Get(c Context) (v V, found bool, err error) { return s.store.get(c.Current()) }

// Add reduces v into the value of the current key.
func (s Reducing[V]) Add(c Context, v V) error {
	cur := c.Current()
	old, found, err := s.store.get(cur)
	if err != nil {
		return err
	}
	if found {
		v = s.reduce(old, v)
	}
	return s.store.set(cur, v)
}

// Clear removes the value of the current key.
func (s Reducing[V]) Clear(c Context) error { return s.store.clear(c.Current()) }
