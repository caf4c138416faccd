// Package panics answers: whose code panicked, and where?
//
// Invariants
//
//   - The text is one line, the same whenever the same code panics for the same
//     reason, and the frames of the user's code come first.
package panics
