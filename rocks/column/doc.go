// Package column answers: how does a state use a table?
//
// A Column implements state.RowColumn with a table above what keeps the state: a column
// family of RocksDB in package rocks, a tree in package memstate. The first access
// opens the table, since only then the options of the table are known.
//
// # Invariants
//
//   - A place's hash is the one that routed the record, not a hash of the column's key.
//     So a column is accessed by keys until Rows is called, and only by places from then
//     on. Rows writes out what was put by keys, so places find it.
package column
