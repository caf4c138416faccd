// Package suite answers: how does the system compare with others?
//
// It holds the experiments, and runs them one after another into one report.
//
// # Invariants
//
//   - An experiment that cannot run is listed as left out, with why.
//   - An experiment that fails ends alone: the others run.
package suite
