// Package nearest answers: which name was meant?
//
// Whatever looks a name up that a person wrote (a verb, a flag, a job, a state, a
// column) asks here when there is none of that name.
//
// # Invariants
//
//   - A name that is proposed is one of those that were given, and at most three
//     letters away from what was written.
//   - The cost is bounded by the names that were given, however long what was written is.
package nearest
