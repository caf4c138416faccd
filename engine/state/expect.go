package state

import "github.com/tidemark/tidemark/engine/keygroup"

// ExpectingColumn is a Column that likes to know which keys come next: it
// fetches what it needs for them at once instead of waiting for each.
type ExpectingColumn interface {
	Column
	// Expects reports whether there is anything to gain at the moment.
	Expects() bool
	// Expect is a hint, of which nothing but speed depends.
	Expect(keys [][]byte)
}

// Expectation is keys that are about to come. It belongs to the subtask's
// goroutine, and can be reused.
type Expectation struct {
	keys []byte
	ends []int
	each [][]byte
}

// Reset forgets the keys.
func (e *Expectation) Reset() { e.keys, e.ends = e.keys[:0], e.ends[:0] }

// Add adds a key, which encode appends.
func (e *Expectation) Add(group keygroup.KeyGroup, encode func(dst []byte) []byte) {
	e.keys = append(encode(keygroup.AppendPrefix(e.keys, group)), 0) // no namespace
	e.ends = append(e.ends, len(e.keys))
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

// Expect tells the states which keys come next. It is a hint.
func (r *Registry) Expect(e *Expectation) {
	e.each = e.each[:0]
	start := 0
	for _, end := range e.ends {
		e.each = append(e.each, e.keys[start:end])
		start = end
	}
	for _, c := range r.columns {
		if c, ok := c.(ExpectingColumn); ok && c.Expects() {
			c.Expect(e.each)
		}
	}
}
