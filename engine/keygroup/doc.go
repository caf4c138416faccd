// Package keygroup answers: who owns a key?
//
// A key's hash picks one of a job's max-parallelism key groups, and each
// subtask of a keyed operator owns one contiguous range of groups. The number
// of groups never changes in the life of a job, so a job is rescaled by moving
// ranges, not keys.
//
// The package is pure: no I/O, no goroutine, no clock.
//
// Invariants
//
//   - The ranges of Assign(max, p, 0…p-1) partition [0, max): each group has
//     exactly one owner (I9).
//   - Owner(max, p, g) is the i for which Assign(max, p, i) contains g.
//   - Prefixes order byte-wise as the groups order numerically.
package keygroup
