package state

// Reducing is a value for each key and namespace, into which further values are
// reduced. Open it with NewReducing.
type Reducing[V any] struct {
	store  valueStore[V]
	reduce func(a, b V) V
}

// NewReducing opens the reducing state name of an operator. reduce gets the older
// value first. It must be pure: it depends on its arguments alone and changes
// neither, and any goroutine may call it. It must be associative, since added
// values may be reduced with each other before they meet the stored one, in
// groups that differ from run to run. Floating point results may therefore differ
// in their last digits.
func NewReducing[V any](c OpenContext, name string, reduce func(a, b V) V, opts ...Option) Reducing[V] {
	return Reducing[V]{openValue(c, KindReducing, name, opts, reduce), reduce}
}

// Get returns the reduced value of the current key, and whether there is one.
func (s Reducing[V]) Get(c Context) (v V, found bool, err error) { return s.store.get(c.Current()) }

// Add reduces v into the value of the current key, without reading that value
// where the backend allows it.
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
