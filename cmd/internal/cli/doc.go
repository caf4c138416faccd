// Package cli answers: what do the verbs of the command line have in common?
//
// RunFlags turns flags into a launch.Config. Explain adds to an error what to do about
// it. UsageError marks a mistake in the command line.
//
// # Invariants
//
//   - A flag binds the field that it sets: no value is copied from flag to
//     option, and no default is stated twice.
package cli
