// Package coordinator answers: when does a checkpoint exist, and when does it
// stop?
//
// A Coordinator leads one job. It starts checkpoints, gathers the subtasks'
// acknowledgements, writes the manifest, commits the checkpoint by a
// compare-and-swap of the job's head, and deletes objects that no retained
// checkpoint reaches. It implements checkpoint.Coordinator.
//
// Every decision is made by a machine without I/O, clock or goroutine: events
// in, actions out. One event loop feeds it and carries its actions out; store
// requests run beside the loop and come back to it as events. The cleaner,
// one goroutine beside the loop, deletes, and never holds up a checkpoint.
//
// A checkpoint's life is Triggered → Aligning → Persisting → Committing →
// Completed → Subsumed → Discarded, or Aborted from any point before the
// commit. PROTOCOL.md has the protocol: the rules that keep checkpoints whole,
// commits in doubt, deletion, closing, and how each failure ends. rules.go names the
// rules. The tests explore every interleaving of the machine, also with each rule
// switched off.
//
// # Invariants
//
//   - The compare-and-swap of head is the commit; whoever wins it leads, and an
//     older leader commits nothing (I4). A commit in doubt is over only once
//     head holds the checkpoint, or has moved on without it.
//   - Every write of head raises its version, so that no content of head, and
//     no ETag, ever returns (I7).
//   - An object is deleted only if a swap of head that this leader won made it
//     unreachable, or if its checkpoint is aborted, or of an earlier epoch, and
//     no retained checkpoint reaches it; never because something could not be
//     read (I2, I10).
//   - The base of a pending checkpoint stays in head, and no checkpoint starts
//     on a base that an unresolved swap would drop (I1).
//   - A late, lost or doubled acknowledgement changes nothing but latency: it
//     never revives an aborted checkpoint (I6).
//   - A start of the wrong job changes nothing (I17).
//   - No goroutine outlives Close; what waits to be deleted is bounded (I12).
package coordinator
