// Package tidemarkcmd answers: what does a person type?
//
// Main gives a program the verbs run, job, checkpoints, state, store and version. A program with a job of
// its own runs that job; one without runs the built-in jobs by name.
//
//	func main() { tidemarkcmd.Main(job) }
//
// MainFlags is for a job that has flags of its own, such as the paths of its input.
//
// Verbs are thin: they parse flags, call a function of another package, and print.
//
// # Invariants
//
//   - Exit code 0 means that the command did what it was asked for; 1 that it did not,
//     with the reason on standard error; 2 that the command line is not valid; 3 that
//     something stored is damaged, missing or lacking; 130 that an interrupt ended it.
//   - With --json standard output holds JSON and nothing else.
package tidemarkcmd
