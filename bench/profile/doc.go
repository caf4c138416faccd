// Package profile answers: where did a run spend its time?
//
// Read reduces the CPU profile that a run wrote (launch.Config.Profiles) to
// what a report can hold: the costliest functions, and the operators and phases
// that the labels of its samples name.
//
// # Invariants
//
//   - Shares are parts of all CPU time in the profile; no list holds more
//     entries than asked for.
package profile
