// Package measure answers: what do timings on a noisy machine say?
//
// It compares arms by rounds: each round runs every arm once, in an order that
// is turned round from one to the next (A B, B A, …), and yields one ratio of
// two arms that met the same noise. What is reported is the median of those
// ratios, with their range and an interval of confidence by bootstrap.
//
// # Invariants
//
//   - Nothing is discarded: every round that ran counts.
//   - The same samples give the same summary: the bootstrap is seeded.
package measure
