// Package input answers: which files does a source read, and how far has it
// come?
//
// It is what the file sources share: patterns, splits (a position and the
// fingerprint of a file), decompression, the loop over a subtask's splits, and the
// policy for records that cannot be read.
//
// Invariants
//
//   - A file that has changed since a split was made of it is never read on:
//     size and modification time are compared before the first record, with each
//     batch, and after the last (I3).
//   - Only files that the source's own patterns match are opened, whatever a
//     checkpoint says.
//   - A malformed record is an error or is counted, and kept where there is a
//     quarantine: never silent.
//   - An error that follows from what a file holds is permanent, or its record,
//     or the rest of its split, is malformed. Only errors of the disk are tried
//     again.
package input
