// Package experiment answers: how do two runs compare?
//
// An Experiment has arms that run interleaved, round by round. It says which figures
// are compared between which arms, and what bar a ratio must reach. A Child runs this
// program as a process of its own, for arms whose processor time counts.
//
// # Invariants
//
//   - An arm that fails ends its experiment, and the report says so.
//   - Arms that compute the same result are compared by its digest.
package experiment
