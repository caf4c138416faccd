// Package input answers: which files does a source read, and how far has it
// come?
//
// It is what the file sources share: patterns, splits with positions and the
// fingerprint of their file, the loop over a subtask's splits, and what is done
// with a record that cannot be read.
//
// Invariants
//
//   - A file that is not the one a split was made of is never read on: size and
//     time of change are compared before the first record and behind the last
//     (I3).
//   - Only files that the source's own patterns match are opened, whatever a
//     checkpoint says.
//   - A malformed record is an error or is counted, never silent.
package input
