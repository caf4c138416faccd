// Package checkpoint answers: what passes between a subtask and the
// coordinator?
//
// It holds the messages of the checkpoint protocol and its two interfaces:
// Tasks, a running attempt as its coordinator sees it, and Coordinator, the
// coordinator as the job's driver sees it. Neither side imports the other.
//
// Invariants
//
//   - A Barrier's ID is greater than every ID that was triggered before it in
//     its epoch (I7).
//   - Nothing here does I/O. Messages may be lost, late, doubled or out of
//     order: each names its checkpoint, epoch and attempt, and its receiver checks
//     them (I6).
package checkpoint
