// Package cli answers: what do the verbs of the command line have in common?
//
// RunFlags turns flags into a launch.Config. Explain adds to an error what to do about
// it. UsageError marks a mistake in the command line.
//
// # Invariants
//
//   - A flag binds the field that it sets, but for --s3-path-style, which is its
//     field's opposite. No default is stated twice.
package cli
