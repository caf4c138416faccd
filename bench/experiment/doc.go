// Package experiment answers: how do two runs compare?
//
// An Experiment has arms that run interleaved, round by round, and says which
// figures of which arms are compared, and what bar a ratio has to reach. A
// Child is this program run as a process of its own, for arms whose processor
// time counts.
//
// # Invariants
//
//   - An arm that fails ends its experiment, and the report says so.
//   - Arms that compute the same result are compared by its digest.
package experiment
