// Package plot answers: how does a measurement look?
//
// It draws SVG from plain values, and knows nothing of where they come from.
//
// # Invariants
//
//   - The same values give the same bytes.
//   - A plot without values is an error: ErrEmpty.
package plot
