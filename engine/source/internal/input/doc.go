// Package input answers: which files does a source read, and how far has it
// come?
//
// It is what the file sources share: patterns, splits (a position and the
// fingerprint of a file), the loop over a subtask's splits, and the policy for
// records that cannot be read.
//
// Invariants
//
//   - A file that has changed since a split was made of it is never read on:
//     size and modification time are compared before the first record and after
//     the last (I3).
//   - Only files that the source's own patterns match are opened, whatever a
//     checkpoint says.
//   - A malformed record is an error or is counted, never silent.
package input
