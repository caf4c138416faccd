// Package rocks answers: how is keyed state kept on this disk?
//
// A DB is a RocksDB database with a column family for each state, and above each a
// table of recent entries (package table): most reads and writes of busy keys do not
// reach RocksDB, and what does, gets there sorted, as files that are ingested whole.
// It is no database of record: there is no write-ahead log, and what no checkpoint
// holds is lost when the DB is closed.
//
// column.go has the states' side, family.go RocksDB's side of a table. The tables
// flush for a checkpoint, and when memory is short; spill.go writes what they flush,
// and freeze.go makes a checkpoint of it. Nothing but final values reaches RocksDB:
// operands are merged on the way.
//
// Values may say that they expire (state.Expiry), and are dropped once they have: on
// their way out of the table, and by compactions, which every file goes through sooner
// or later (Options.RewriteAfter). expire.go has the rest.
//
// A checkpoint is a directory of hard links, complete in itself. Freeze begins one in
// constant time, and its write does the work beside the records. This package knows
// nothing of object stores, manifests or coordinators.
//
// Compaction writes little, since checkpoints carry what it writes: a column has tens
// of sorted runs before some are merged (settings.go, runs.go).
//
// All databases of a process share one Resources: the budget of tables, and one block
// cache, to which write buffers, readers of files and filters that are being made are
// charged. The cache's blocks have memory of their own (blocks.cc), since malloc kept
// several times as much as they took. What databases take beside these two follows
// from the options (memory.go), so native memory is bounded.
//
// This is the only package that uses cgo. Package grocksdb opens and configures. The
// hot paths (get, multi-get, scan, write) are a small C++ shim that copies into memory
// of ours, and makes one call for many entries. Link statically with the build tag
// grocksdb_clean_link.
//
// # Invariants
//
//   - No C memory escapes: every value is copied into Go memory, every native object
//     is freed by Close, and OpenHandles counts those that are not (I12).
//   - A checkpoint holds exactly the writes that returned before Freeze (I8).
//   - A checkpoint that fails loses nothing (I11).
//   - RocksDB gets the entries that a column flushes as a whole or not at all (I3).
//   - An immutable file never changes under its name while the directory lives, and
//     its name is not used again (I7).
//   - Nothing is dropped before it has expired by Options.Clock, nor while an operand
//     above it began before that, and no older version of it appears in its place.
//   - An error is classified once, in errors.go; nothing else parses RocksDB's
//     messages.
package rocks
