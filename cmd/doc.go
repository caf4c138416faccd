// Package tidemarkcmd answers: what does a person type?
//
// Main gives a program the verbs run, checkpoints and version. With a job of its
// own the program runs that; without one it runs the built-in jobs by name.
//
//	func main() { tidemarkcmd.Main(job) }
//
// Verbs are thin: they parse flags, call what owns the matter, and print.
//
// # Invariants
//
//   - Exit code 0 means that all that was asked for happened; 1 that it did
//     not, with the reason on standard error; 2 that the command line makes no
//     sense; 130 that an interrupt ended the run.
//   - With --json standard output holds JSON and nothing else.
package tidemarkcmd
