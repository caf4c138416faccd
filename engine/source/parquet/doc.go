// Package parquet answers: how do the rows of Parquet files become records?
//
// A package of its own for the dependency that it brings. Its source reads the
// columns that the record's fields name and no others, and its splits are row
// groups.
//
// footer reads what a file says of itself, schema gives that a shape, and record
// makes functions that read the record's fields from it, with convert for the
// leaves and cursor for their columns. The library decodes pages; chunk finds and
// decompresses them, and plainFile shows them to the library as a file without
// compression.
//
// Invariants
//
//   - Every row of every file is read exactly once, wherever a reader is closed
//     and opened again from its splits (I8).
//   - Each value comes over exactly (I16). A column that is missing, or whose
//     values its field cannot hold, is an error before any record, with the names
//     of both; a single value that cannot come over makes its row malformed.
//   - A file with more or fewer values than rows is damaged: nothing is made up.
//   - Records share no memory with each other or with the reader.
//   - A file that is no longer the one a position is of is refused (I3).
package parquet
