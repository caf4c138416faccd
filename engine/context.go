package engine

import (
	"github.com/tidemark/tidemark/engine/keygroup"
	"github.com/tidemark/tidemark/engine/state"
)

// Context gives a processor's function the key of its record, and the states their
// state.Context. It is valid during the call. It holds one pointer, so passing it is
// cheap.
type Context[K comparable] struct{ c *keyContext[K] }

// Key returns the record's key.
func (c Context[K]) Key() K { return c.c.key }

// Current implements state.Context.
func (c Context[K]) Current() *state.Current {
	if c.c.stale {
		c.c.encode()
	}
	return c.c.current
}

// keyContext is the current key of a keyed operator's subtask. The key is
// encoded when a state first asks for it.
type keyContext[K comparable] struct {
	key     K
	stale   bool // current is that of another key
	current *state.Current
	own     state.Current // current points to it, except while FinishKey is called
	codec   state.KeyCodec[K]
	groups  int
}

func (c *keyContext[K]) set(key K, hash uint64) {
	if hash == c.own.Hash && key == c.key && !c.stale {
		return // the same key again
	}
	c.key = key
	c.own.Hash = hash
	c.stale = true
}

func (c *keyContext[K]) encode() {
	c.own.Group = keygroup.Of(c.own.Hash, c.groups)
	c.own.Key = c.codec.Append(c.own.Key[:0], c.key)
	c.stale = false
}
