// Package memstate answers: how is keyed state kept in memory?
//
// It is the backend of unit tests, and of jobs whose state is small and need not
// outlive the process: a handle points at memory, and is valid only in the process
// that made it. States lie in tables (package table), as they do in production, so the
// test of a job runs production's code. Below a table is a B+ tree instead of RocksDB.
// A flush changes a copy of the tree, which shares nodes with the one before. A
// snapshot is the trees after a flush.
//
// Invariants
//
//   - A snapshot takes the same short time whatever the size of the state, and nothing
//     that is reachable from it ever changes (I8): Persist may run beside writes.
//   - Opening from handles keeps each entry of the wanted key groups once (I9).
//   - Memory is bounded by twice the state and by the handles that are alive. There is no
//     other bound.
package memstate
