// Package table answers: what of a column is in memory?
//
// A Table is a write-back table above a Below, a sorted map of bytes: in production a
// column family of RocksDB. It holds recent entries, so most reads and writes of busy
// keys do not reach Below. Writes reach it sorted, a flush at a time.
//
// # Surface
//
// A Budget is the memory for all tables of a process. NewTables gives a database its
// share of it, and Tables.Open a table for each column. Get, Put, Delete, DeleteRow and
// Scan are those of a map; a Place brings the hash of a key, so that the table computes none.
// Expect reads the keys that come next together. PutOperand keeps an addition to a
// value that nobody has read. Find is Get, but avoids to read Below where it can.
//
// Begin takes the dirty entries of all tables as a Flush, and Flush.Finish writes it,
// in any goroutine: it calls the function that the Writer returned, which calls
// Flush.Write, which calls Below.Write for the Entries of each table. Below.Write reads
// them with Entries.Each and makes them visible within Entries.Publish. When memory is
// short, the tables begin flushes by themselves (spills).
//
// # The life of an entry
//
// Put stores the entry in a block of memory without pointers (block.go, arena.go). The
// index finds it by hash, and rows.go by row. Values may be cells: the table keeps them
// in a form of their own, and encodes them when they leave it. The entry is now dirty,
// in a part of the dirty set (dirty.go). Writes to it change the block in place.
//
// A flush freezes the part (dirty.go). From then on the flush's goroutine reads the
// block, so a write puts another block in its place, and the old one is freed when the
// flush has ended. The flush sorts the entries (sort.go), merges operands into the
// values that Below has (entries.go), and publishes all entries at once or none.
//
// When a flush is settled, its entries are clean. If it failed, the next flush takes
// them over; without one they are dirty again (flush.go). When memory is short, a sweep evicts clean entries that were not used
// since it last passed them (sweep.go, reclaim.go). A later Get reads them from Below.
//
// A table is whole as long as Below was empty when it was opened and nothing was
// evicted since. Then a key that it lacks does not exist. Likewise a row may be known to
// be complete (rows.go): it began in a whole table, or a scan remembered it
// (smallrow.go), or it was deleted (clear.go), and nothing of it was evicted since.
//
// A scan copies what Below lacks, up to a bound, and merges that with an iterator of Below
// (scan.go). So it does not hold up flushes, writes or eviction. A scan of a whole column
// with more than that reads the entries where they are, until somebody needs their memory
// or another flush begins (hold.go).
//
// # Invariants
//
//   - A block that a flush reads is replaced, never changed, and its memory is reused
//     when the flush has ended (I8). The build tag invariants checks that.
//   - Flushes are written in the order in which they began. Right after the entries of
//     a flush, Below has everything that was put before Begin, and nothing newer (I8).
//   - A table knows whether Below has the entries of a flush: an operand is merged into
//     a value once (I3).
//   - Only clean entries are evicted. What could not be written stays in the table (I11).
//   - The tables of a budget stay within it, but for an entry that is larger. A scan
//     takes 4 MiB beside that at most, one of a whole column a sixteenth of the budget. To delete a
//     row takes what the table has of it, not what Below has (I12).
package table
