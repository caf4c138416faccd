// Package statetest answers: is this a backend that states can rely on?
//
// Run holds every rule of state.Factory, Backend, Column and Pending as a
// test, through the states that operators use. A backend's own tests call it
// with a Harness.
//
// Invariants
//
//   - Nothing here knows what is behind a backend or a handle.
//   - No test depends on timing. The random test prints its seed, and replays
//     from it with -statetest.seed.
package statetest
