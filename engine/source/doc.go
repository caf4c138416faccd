// Package source answers: where do records come from?
//
// It reads files, named by path, directory or glob: text by line, JSON Lines,
// and CSV with a header. Parquet, which brings a dependency, is package
// parquet below it; seeded events are package nexmark.
//
// Lines and JSON Lines are divided into ranges of bytes: a line belongs to the
// split in which its first byte lies. A CSV file is one split, since a quoted
// field may hold a line's end. So is a file that is compressed with gzip or zstd,
// as its first bytes tell: a job that resumes inside one reads it again up to its
// position. Other compressions, and encodings other than UTF-8, are refused by name.
//
// If *T has a method Validate() error, a record for which it returns an error
// counts as malformed. A method Validate of another type is a mistake of the job.
//
// Invariants
//
//   - Every record is read exactly once, whatever the size of the splits, and
//     wherever a reader is closed and opened again from its splits (I8).
//   - A file that has changed since its position was taken is refused (I3).
//   - A record that cannot be read ends the job and names its place, or is
//     counted; so is the rest of a file that cannot be read. Nothing of a record is
//     changed or cut to fit (I16).
//   - A quarantine holds each record that was counted, once, whatever is killed
//     or restored (I15).
//   - Only errors of the disk are tried again.
//   - A record takes no more memory than Options.MaxRecordBytes, some buffers,
//     and the decoded value (I12).
package source
