// Package bounds answers: do memory and stalls stay bounded, whatever a job stores?
//
// It is a matrix of tests: kind of state × size of a value × what is done with it. Each
// pair of kind and size is a job in a process of its own, which package launch runs with
// budgets far smaller than its state, and with checkpoints all the while. For each thing
// that is done it measures the greatest memory of the process, beside what the run states
// at its start, and the longest that the record loop stood still, in processor time of
// its thread: that does not depend on what else the machine does.
//
// # Invariants
//
//   - Memory stays below the statement and a fifth (I12).
//   - Between two entries that a processor reads or writes the record loop never works
//     long; to clear a row costs by its entries (I12).
//   - Records go on while a checkpoint is written (I12).
package bounds
