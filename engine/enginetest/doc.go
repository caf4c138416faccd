// Package enginetest answers: does a job do what its author means?
//
// Run executes a job in a test, in milliseconds: keyed state in memory, a
// coordinator in memory that takes checkpoints as often as the test likes, and
// restarts at once. FromSlice feeds it and Collect says what came out.
//
// Invariants
//
//   - What Collect returns is what a transactional sink would show: after
//     whatever failures and restarts, it equals that of a run without (I3).
//   - FromSlice never repeats or loses a record over restarts and rescaling.
package enginetest
