// Package profile answers: where does a run spend its time, its memory and its
// waiting?
//
// Start begins to record, Stop writes cpu.pprof, heap.pprof, mutex.pprof and
// block.pprof, which `go tool pprof` reads. Samples carry the labels "operator"
// and "phase" of the goroutines that have them. Read and Costs reduce a CPU
// profile to what a report can hold.
//
// # Invariants
//
//   - Rates of sampling are those of before once Stop returned.
//   - A profile is written whole or Stop returns an error.
package profile
