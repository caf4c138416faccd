// Package parquet answers: how do the rows of Parquet files become records?
//
// A package of its own for the dependency that it brings. Its source reads the
// columns that the record's fields name and no others, and its splits are row
// groups.
//
// Invariants
//
//   - Every row of every file is read exactly once, wherever a reader is closed
//     and opened again from its splits (I8).
//   - A column that is missing, or does not fit its field, is an error before
//     any record; no value is cut to fit.
//   - A file that is no longer the one a position is of is refused (I3).
package parquet
