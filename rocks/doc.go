// Package rocks answers: how is keyed state kept on this disk?
//
// A DB is a RocksDB database with one column family for each state. It is a
// sorted map under a write-back cache, not a database of record: there is no
// write-ahead log, and what no Checkpoint holds is lost when the DB is closed.
// A Checkpoint is a directory of hard links, complete in itself. What happens
// to it then is no business of this package, which knows nothing of object
// stores, manifests or coordinators.
//
// All databases of a process share one Resources: one block cache, to which
// the write buffers are charged, and so one bound of native memory.
//
// This is the only package that uses cgo. Package grocksdb opens and
// configures; the hot paths (Get, Put, Delete, Scan) are a small C++ shim that
// copies into Go memory, and makes one call for many entries of a scan. Link
// statically with the build tag grocksdb_clean_link.
//
// # Invariants
//
//   - No C memory escapes: every value is copied into Go memory, every native
//     object is freed by Close, and OpenHandles counts those that are not (I12).
//   - A Checkpoint holds exactly the writes that returned before it (I8).
//   - An immutable file never changes under its name while the directory lives,
//     and its name is not used again (I7).
//   - An error is classified once, in errors.go; nothing else parses RocksDB's
//     messages.
package rocks
