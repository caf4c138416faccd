// Package enginetest answers: does a job do what its author means?
//
// Run executes a job in a test, in milliseconds. Keyed state and checkpoints lie
// in memory; checkpoints come as often as the test likes, and restarts without a
// delay. FromSlice is the input, and Collect says what came out.
//
// Invariants
//
//   - What Collect returns after failures and restarts equals the output of a run
//     without any (I3).
//   - FromSlice neither repeats nor loses a record over restarts and rescaling.
package enginetest
