// Package cli answers: what do the verbs of the command line have in common?
//
// RunFlags turn flags into a launch.Config, Explain adds to an error what to
// do about it, and UsageError marks the mistakes of whoever typed the command.
//
// # Invariants
//
//   - A flag binds the field that it sets: no value is copied from flag to
//     option, and no default is stated twice.
package cli
