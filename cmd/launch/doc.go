// Package launch answers: how is a job put together from the parts, and run in
// this process?
//
// It is the wiring: it opens the store, leads the job through a coordinator,
// gives the engine RocksDB backends whose snapshots go to the store, runs the
// job, and reports what it did and took. It decides nothing about checkpoints,
// state or records: each rule has its package.
//
// # Invariants
//
//   - All parts that were opened are closed in the opposite order, after any failure
//     (I12).
//   - With checkpoints off nothing is read from or written to a checkpoint
//     store.
package launch
