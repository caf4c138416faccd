// Package checkpoint answers: what passes between a subtask and the
// coordinator?
//
// It holds the words of the checkpoint protocol, and the two interfaces across
// which they are spoken: Tasks, a running attempt as its coordinator sees it,
// and Coordinator, the coordinator as an attempt sees it. Neither side imports
// the other.
//
// Invariants
//
//   - A Barrier's ID is greater than every ID that was triggered before it in
//     its epoch (I7).
//   - Nothing here does I/O. Messages may be lost, late, doubled or out of
//     order: each names its checkpoint, epoch, subtask and attempt (I6).
package checkpoint
