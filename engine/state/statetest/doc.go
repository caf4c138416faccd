// Package statetest answers: is this a backend that states can rely on?
//
// Run holds every rule of state.Factory, Backend, Column and Pending as a
// test, through the states that operators use. A backend's own tests call it
// with a Harness. Random is the hardest of them alone: it compares random
// sequences of operations with a model of plain maps (model.go).
//
// Invariants
//
//   - Nothing here knows what is behind a backend or a handle.
//   - No test depends on timing: values expire by a Clock that stands still
//     until it is moved.
//   - Every sequence of the random test has a seed of its own, which is printed,
//     and is replayed by -statetest.seed. Nothing in a sequence but the
//     interleaving of goroutines depends on anything else.
package statetest
