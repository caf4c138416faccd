// Package faults answers: what does a job lose when a request to the store, or
// the disk below it, fails?
//
// It is a matrix of tests of the whole pipeline, wired by package launch: a job
// resumes from a checkpoint, takes more, and ends, while the k-th operation of
// its store fails, hangs, is applied but reported as failed, comes late, twice,
// cut short or damaged; for every k until a run meets no fault. A smaller part
// runs by default; SOAK=1 runs all of it (make soak).
//
// System calls on files are made to fail likewise, of the store, the local
// state and the output, RocksDB's among them, in a process of their own under
// strace; and disks are filled for real.
//
// # Invariants
//
//   - A single fault fails no job that has started: it aborts a checkpoint, or
//     starts another attempt (I11).
//   - Digest and output are those of a run without failure (I3, I6).
//   - Every retained checkpoint is whole, right after the run too (I1, I10).
//   - After one more start and end without a fault the store holds exactly what
//     is reachable, and no multipart upload is open (I5).
package faults
