package state

import "github.com/tidemark/tidemark/engine/keygroup"

// ExpectingColumn is a Column that likes to know which keys come next: it
// fetches what it needs for them at once instead of waiting for each.
type ExpectingColumn interface {
	Column
	// Expects reports whether there is anything to gain at the moment.
	Expects() bool
	// Expect is a hint, of which nothing but speed depends. The places' keys stay
	// as they are until the next call.
	Expect(places []Place) error
}

// Expectation is keys that are about to come. It belongs to the subtask's
// goroutine, and can be reused.
type Expectation struct {
	keys   []byte
	places []Place
}

// Reset forgets the keys.
func (e *Expectation) Reset() { e.keys, e.places = e.keys[:0], e.places[:0] }

// Add adds a key by its hash, which encode appends.
func (e *Expectation) Add(hash uint64, group keygroup.KeyGroup, encode func(dst []byte) []byte) {
	before := len(e.keys)
	e.keys = append(encode(keygroup.AppendPrefix(e.keys, group)), 0) // no namespace
	key := e.keys[before:]
	e.places = append(e.places, Place{Key: key, Row: len(key), Hash: hash, RowHash: hash})
}

// Expects reports whether any state gains from Expect at the moment.
func (r *Registry) Expects() bool {
	for _, c := range r.columns {
		if c, ok := c.(ExpectingColumn); ok && c.Expects() {
			return true
		}
	}
	return false
}

// Expect tells the states which keys come next. What cannot be read now is an
// error, as it would be later.
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
