// Package source answers: where do records come from?
//
// It reads files, named by path, directory or glob: text by line, JSON Lines,
// and CSV with a header. Parquet, which brings a dependency, is package
// parquet below it; seeded events are package nexmark.
//
// Lines and JSON Lines are divided into ranges of bytes: a line belongs to the
// split in which its first byte lies. A CSV file is one split, since a quoted
// field may hold a line's end, and so is a file whose name ends in ".gz", which
// is decompressed; a job that resumes in one reads it again up to its position.
//
// A record of a source of T whose pointer has a method Validate() error is
// malformed if that returns an error.
//
// Invariants
//
//   - Whatever the size of the splits and wherever a reader is closed and
//     opened again from its splits, every record is read exactly once (I8).
//   - A file that is no longer the one a position is of is refused (I3).
//   - A record that cannot be read stops the job with its place, or is counted.
//   - A record takes no more memory than Options.MaxRecordBytes, some buffers,
//     and what it becomes (I12).
package source
