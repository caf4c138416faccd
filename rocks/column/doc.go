// Package column answers: how does a state use a table?
//
// A Column implements state.RowColumn by a table above whatever keeps the state:
// a column family of RocksDB in package rocks, a tree in package memstate. Its table
// is opened by the first access, since only that says what the table must be able to
// do.
//
// # Invariants
//
//   - Keys alone hash otherwise than places do. So a column is used by keys, and from
//     Rows on by places only; what was put by keys is found by places.
package column
