package state

import "github.com/tidemark/tidemark/engine/keygroup"

// OpenContext is needed to open states, once, when their operator opens. The
// engine's OpenContext and SinkContext implement it.
type OpenContext interface {
	Registry() *Registry
}

// Context is needed to read and write states: it knows the current key. The
// engine's Context implements it.
type Context interface {
	Current() *Current
}

// Current is the key and namespace for which states are read and written.
type Current struct {
	Hash      uint64
	Group     keygroup.KeyGroup
	Key       []byte // encoded, self-delimiting where its length varies
	Namespace []byte // encoded; empty: none
}
