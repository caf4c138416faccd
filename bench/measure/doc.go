// Package measure answers: what do timings on a noisy machine say?
//
// It compares arms in rounds. Each round runs every arm once, in an order that is
// reversed from round to round (A B, B A, …), and yields one ratio of two arms that
// met the same noise. The result is the median of the ratios, with their range and
// a confidence interval by bootstrap.
//
// # Invariants
//
//   - Nothing is discarded: every round that ran counts.
//   - The same samples give the same summary: the bootstrap is seeded.
package measure
