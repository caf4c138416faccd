// Package coordinator answers: when does a checkpoint exist, and when does it
// stop?
//
// A Coordinator leads one job: it starts checkpoints, gathers what the
// subtasks acknowledge, writes the manifest, commits it by a compare-and-swap
// of the job's head, and deletes what no retained checkpoint reaches any more.
// It implements the Coordinator of engine/checkpoint.
//
// Every decision is made by a machine without I/O, clock or goroutine: events
// in, actions out. One event loop feeds it and carries its actions out; store
// requests run beside the loop and come back to it as events. The cleaner,
// one goroutine beside the loop, deletes, and never holds up a checkpoint.
//
// A checkpoint's life is Triggered → Aligning → Persisting → Committing →
// Completed → Subsumed → Discarded, or Aborted from any point before the
// commit. The seven rules that keep it safe are listed in rules.go, and the
// tests explore every interleaving of the machine with each of them off.
//
// # Invariants
//
//   - The compare-and-swap of head is the commit; whoever wins it leads, and an
//     older leader commits nothing (I4). A swap of unknown outcome is over only
//     once head shows it, or a later swap of this leader won (the fence).
//   - Every write of head raises its version, so that no content of head, and
//     no ETag, ever returns (I7).
//   - An object is deleted only if a swap of head that this leader won made it
//     unreachable, or if its checkpoint was aborted for good; never because
//     something could not be read (I2, I10).
//   - The base of a pending checkpoint stays in head, and no checkpoint starts
//     on a base that an unresolved swap would drop (I1).
//   - A late, lost or doubled acknowledgement changes nothing but latency: it
//     never revives an aborted checkpoint (I6).
//   - No goroutine outlives Close; what waits to be deleted is bounded (I12).
package coordinator
