package rocks

// #include "shim.h"
import "C"

import "fmt"

// Library says which RocksDB is linked.
type Library struct {
	Version     string // "7.8.3"
	TableFormat int    // version of the block-based tables that this package has it write
	// Assertions says that the library was built with its internal checks, as Linux
	// distributions do. That is correct, but up to a third slower, so every
	// benchmark should report it.
	Assertions bool
}

// Linked returns the library that this program is linked with.
func Linked() Library {
	return Library{Version: taken(C.tm_version()), TableFormat: tableFormat, Assertions: C.tm_has_assertions() != 0}
}

// String renders "RocksDB 7.8.3 (assertions)" or "(release)".
func (l Library) String() string {
	build := "release"
	if l.Assertions {
		build = "assertions"
	}
	return fmt.Sprintf("RocksDB %s (%s)", l.Version, build)
}
