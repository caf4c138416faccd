package state

import "github.com/tidemark/tidemark/engine/keygroup"

// ExpectingColumn is a Column that can read ahead: it gets the places that come next,
// and reads their entries together instead of one by one.
type ExpectingColumn interface {
	Column
	// Expects reports whether reading ahead would help now.
	Expects() bool
	// Expect announces the places that come next. It changes nothing but speed. The
	// places' keys must not change until the next call.
	Expect(places []Place) error
}

// Expectation is a list of keys that come next. It belongs to the subtask's
// goroutine, and can be reused.
type Expectation struct {
	keys   []byte
	places []Place
}

// Reset forgets the keys.
func (e *Expectation) Reset() { e.keys, e.places = e.keys[:0], e.places[:0] }

// Add adds a key. encode appends the encoded key.
func (e *Expectation) Add(hash uint64, group keygroup.KeyGroup, encode func(dst []byte) []byte) {
	before := len(e.keys)
	e.keys = append(encode(keygroup.AppendPrefix(e.keys, group)), 0) // no namespace
	key := e.keys[before:]
	e.places = append(e.places, Place{Key: key, Row: len(key), Hash: hash, RowHash: hash})
}

// Expects reports whether Expect would help any state now.
func (r *Registry) Expects() bool {
	for _, c := range r.columns {
		if c, ok := c.(ExpectingColumn); ok && c.Expects() {
			return true
		}
	}
	return false
}

// Expect announces to the states which keys come next. A failed read is an error
// here already.
func (r *Registry) Expect(e *Expectation) error {
	for _, c := range r.columns {
		if c, ok := c.(ExpectingColumn); ok && c.Expects() {
			if err := c.Expect(e.places); err != nil {
				return err
			}
		}
	}
	return nil
}
