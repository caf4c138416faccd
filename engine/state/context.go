package state

import "github.com/tidemark/tidemark/engine/keygroup"

// OpenContext is what states are made with, once, when their operator opens.
type OpenContext interface {
	Registry() *Registry
}

// Context is what states are read and written with: it knows the current key.
// The engine's contexts are.
type Context interface {
	Current() *Current
}

// Current is the key, and namespace, that states are read and written for.
type Current struct {
	Hash      uint64
	Group     keygroup.KeyGroup
	Key       []byte // encoded, self-delimiting where its length varies
	Namespace []byte // encoded; empty: none
}
