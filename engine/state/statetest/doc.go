// Package statetest answers: is this a backend that states can rely on?
//
// Run tests every rule of state.Factory, Backend, Column and Pending through the
// states that operators use. A backend's own tests call it with a Harness. Random
// runs the hardest test alone: it compares random sequences of operations with a
// model of plain maps (model.go).
//
// Invariants
//
//   - Nothing here knows what is behind a backend or a handle.
//   - No test depends on timing: values expire by a Clock that stands still
//     until it is moved.
//   - Every sequence of the random test has a seed, which is printed;
//     -statetest.seed replays it. Apart from the interleaving of goroutines a
//     sequence depends on its seed alone.
package statetest
