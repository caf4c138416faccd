// Package table answers: what of a column is in memory?
//
// A Table is a write-back table above a Below, a sorted map of bytes: in production a
// column family of RocksDB. It holds recent entries, so that most reads and writes of
// busy keys do not reach Below, and what does, gets there sorted, a flush at a time.
//
// # Surface
//
// A Budget is the memory for all tables of a process. NewTables gives a database its
// share of it, and Tables.Open a table for each column. Get, Put, Delete and Scan are
// those of a map; a Place brings the hash of a key, so that the table computes none.
// Expect reads the keys that come next together. PutOperand keeps an addition to a
// value that nobody has read, and Find tells what is known without reading.
//
// Begin takes the dirty entries of all tables as a Flush, and Finish writes it, in any
// goroutine: Writer says how, by Entries.Each and Entries.Publish of each table. When
// memory is short, the tables begin flushes by themselves (spills).
//
// # The life of an entry
//
// Put stores it in a block of memory without pointers (block.go, arena.go), which the
// index finds by hash, and rows.go by row. Values may be cells, in a form that is
// encoded only when they leave the table. The entry is dirty: in a part of the dirty
// set (dirty.go). Writes to it change the block in place.
//
// A flush freezes the part (entries.go). From now on the flush's goroutine reads the
// block, so a write replaces it by another one, and the old one is freed when the
// flush has ended. The flush sorts the entries (sort.go), merges operands into the
// values that Below has (operand.go), and publishes all of them at once or none.
//
// Settling a flush makes its entries clean, or dirty again if it failed (flush.go).
// When memory is short, a sweep evicts clean entries that were not used since it last
// passed them (sweep.go, reclaim.go). A later Get reads them from Below again.
//
// A table is whole while it has held everything since Below was empty. It then answers
// misses, and lists all keys, without Below.
//
// # Invariants
//
//   - A block that a flush or a scan reads is replaced, never changed, and its memory
//     is reused when nobody reads it any more (I8). The build tag invariants checks
//     flushes.
//   - Flushes are written in the order in which they began. What a Writer does after
//     the entries sees everything that was written before Begin, and nothing newer (I8).
//   - A table knows whether Below has the entries of a flush: an operand is merged into
//     a value once (I3).
//   - Only clean entries are evicted. What could not be written stays in the table (I11).
//   - The tables of a budget stay within it, but for an entry that is larger, and for
//     blocks that open scans hold (I12).
package table
