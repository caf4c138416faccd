package state

import "errors"

// Errors of states and codecs.
var (
	// ErrIncompatible: what a checkpoint holds does not fit the state that the
	// job declares. No restart mends it.
	ErrIncompatible = errors.New("incompatible state")
	// ErrCorrupt: stored bytes are not what the codec wrote.
	ErrCorrupt = errors.New("corrupt encoding")
	// ErrUnsupported: no codec can be derived for a type.
	ErrUnsupported = errors.New("unsupported type")
)
