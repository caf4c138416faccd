// Package suite answers: how does the system stand beside its comparators?
//
// It holds the experiments, and runs them. An experiment has arms that run
// interleaved, round by round, and says which figures of which arms are put
// beside each other, and what bar a ratio has to reach. Arms whose processor
// time counts are processes of their own.
//
// # Invariants
//
//   - An experiment that cannot run is listed as left out, with why.
//   - An arm that fails ends its experiment, and the report says so; others go
//     on.
//   - Arms that compute the same result are compared by its digest.
package suite
