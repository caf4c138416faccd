// Package rocks answers: how is keyed state kept on this disk?
//
// A DB is a RocksDB database with a column family for each state, and above each a
// table of recent entries (package table). Most reads and writes of busy keys do not
// reach RocksDB. What the table flushes arrives sorted: as a file that RocksDB ingests,
// or, where it is few entries, through the write buffer. There is no write-ahead log:
// what no local checkpoint holds is lost when the DB is closed.
//
// Package column has the states' side of a table, family.go RocksDB's. The tables flush
// for a checkpoint, and when memory is short. flush.go writes what they flush, and
// freeze.go makes a local checkpoint of it. Only final values reach RocksDB: operands
// are merged before.
//
// Values may expire (state.Expiry). Expired values are dropped when they leave the
// table, and by compactions; every file goes through one sooner or later
// (Options.RewriteAfter). See expire.go.
//
// A local checkpoint is a directory of hard links, a database of its own. Freeze begins
// one in constant time, and the write that it returns makes it while records go on. The
// files are read by this process or never, so nothing is synced (files.cc).
// This package knows nothing of object stores, manifests or coordinators.
//
// What a compaction writes, the next checkpoint uploads. So compaction writes little: a
// column has tens of sorted runs before some are merged (settings.go, runs.go).
//
// All databases of a process share one Resources: the budget of tables, and one block
// cache. Write buffers, readers of files and filters under construction are charged to
// the cache. The cache's blocks have memory of their own (blocks.cc), since malloc kept
// several times as much as they took. memory.go bounds, by the options, what databases
// take beside these two. So native memory is bounded.
//
// This is the only package that uses cgo. It opens and configures databases with package
// grocksdb. The hot paths (get, multi-get, scan, write) are a small C++ shim that copies
// into Go's memory, and takes many entries in one call. The build tag
// grocksdb_clean_link links RocksDB statically.
//
// # Invariants
//
//   - No C memory escapes: every value is copied into Go memory, every native object
//     is freed by Close, and OpenHandles counts those that are not (I12).
//   - A local checkpoint holds exactly the writes that returned before Freeze (I8).
//   - A local checkpoint that fails loses nothing (I11).
//   - RocksDB gets all entries that a flush has of a column, or none (I3).
//   - An immutable file never changes under its name while the directory lives, and
//     its name is not used again (I7).
//   - No value is dropped before it has expired by Options.Clock, nor while the table has
//     an operand for it that began before that. No older version appears in its place.
//   - An error is classified once, in errors.go; nothing else parses RocksDB's
//     messages.
package rocks
