// Package plot answers: how does a measurement look?
//
// It draws SVG from plain values, and knows nothing of where they come from.
//
// # Invariants
//
//   - The same values give the same bytes.
//   - Nothing is drawn where there is nothing to draw: that is ErrEmpty.
package plot
