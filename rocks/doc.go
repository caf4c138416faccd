// Package rocks answers: how is keyed state kept on this disk?
//
// A DB is a RocksDB database with one column family for each state, and above
// each a table of recent entries in memory: most reads and writes of a busy
// key never get to RocksDB, and what does, gets there sorted, as files that are
// ingested whole. It is no database of record: there is no write-ahead log, and
// what no checkpoint holds is lost when the DB is closed.
//
// The table is memory without pointers, outside of Go's heap: blocks of any size
// in an arena (arena.go), behind an index of hashes. table.go says how it shares
// blocks with checkpoints, spills and scans that are under way, sweep.go which
// entries it forgets when memory is short, rows.go how it finds the entries of a
// map or a list. Values may be kept in a form of their own, cells, which are
// encoded only when they leave the table. A column that was empty when it was
// opened, and whose table has forgotten nothing since, is whole: it answers
// misses, and lists all keys, without RocksDB. Otherwise the misses of the keys
// that come next are read together (expect.go).
//
// What is added to a key that the table does not have is kept as an operand, and
// nothing is read (operand.go). Whoever asks for the value reads what is below and
// merges; so does the goroutine that writes it, for a thousand keys in their order
// at a time. RocksDB never has an operand.
//
// Memory for tables is one budget, of which each database has a share
// (budget.go). When it gets scarce, what is dirty is spilled: written to RocksDB
// by a goroutine of the database's, in order with checkpoints (freeze.go), so
// that it can be forgotten. Where nothing is left to forget, a write waits for
// the spill (room.go).
//
// Values may say that they expire (state.Expiry), and are dropped once they
// have: on their way out of the table, and by compactions, which every file goes
// through sooner or later (Options.RewriteAfter). expire.go has the rest.
//
// A checkpoint is a directory of hard links, complete in itself. Freeze begins
// one in constant time, and its write does the work beside the records. What
// happens to the directory then is no business of this package, which knows
// nothing of object stores, manifests or coordinators.
//
// Compaction writes little, since checkpoints carry what it writes: a column has
// tens of sorted runs before some are merged (settings.go, runs.go).
//
// All databases of a process share one Resources: the budget of tables, and one
// block cache, to which write buffers, readers of files and filters that are made
// are charged. Its blocks have memory of their own (blocks.cc), of which malloc
// kept several times as much as they took. What databases take beside these two
// follows from the options (memory.go), and so native memory has a bound.
//
// This is the only package that uses cgo. Package grocksdb opens and
// configures; the hot paths (Get, Put, Delete, Scan) are a small C++ shim that
// copies into memory of ours, and makes one call for many entries of a scan. Link
// statically with the build tag grocksdb_clean_link.
//
// # Invariants
//
//   - No C memory escapes: every value is copied into Go memory, every native
//     object is freed by Close, and OpenHandles counts those that are not (I12).
//   - A checkpoint holds exactly the writes that returned before Freeze (I8):
//     freezes and spills reach RocksDB in the order in which they began.
//   - A block that a checkpoint or a scan looks at is replaced, never changed, and
//     used again only when neither does (I8). The tag invariants checks it.
//   - Only what RocksDB has is forgotten, and the tables of all databases stay
//     within Options.TableBytes, but for an entry that is larger, and for what
//     open scans hold (I12).
//   - What could not be written stays in the table: a checkpoint that fails loses
//     nothing (I11).
//   - Of a flight, the entries of a column are written as a whole or not at all,
//     and the table knows which: an operand is merged into a value once (I3).
//   - An immutable file never changes under its name while the directory lives,
//     and its name is not used again (I7).
//   - Nothing is dropped before it has expired by Options.Clock, nor while an
//     operand above it began before that, and no older version of it appears in
//     its place.
//   - An error is classified once, in errors.go; nothing else parses RocksDB's
//     messages.
package rocks
