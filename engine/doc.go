// Package engine answers: how does a record travel?
//
// A Job is a graph of operators joined by typed streams. Run runs it: a driver
// attaches to the coordinator, lists splits, recovers sinks, and deploys subtasks
// to a host, one goroutine each. Operators that need no exchange between them are
// chained and call each other directly, a batch at a time. Between subtasks batches
// travel through bounded queues. Barriers travel with the records. When a subtask's
// input gate has the barrier on all channels, the subtask takes a snapshot of its
// operators: a checkpoint holds the effect of the records before its barrier.
//
// Driver and host share no state: commands and reports pass between them, plain
// data of package deploy. So a job can run on several hosts, as tests do.
//
// The decisions of the protocol (driving, alignment, restart, pacing, chaining)
// are functions without I/O, clock or goroutine; the goroutines feed them. How
// state is kept, and when a checkpoint exists, is the business of state.Factory
// and checkpoint.Coordinator: the engine knows neither disk nor store.
//
// Invariants
//
//   - What reaches a subtask from one producer keeps its order: records,
//     barriers and the end are one sequence.
//   - A subtask's snapshot holds the effect of exactly the records before its
//     barrier: in exactly-once mode no record behind a barrier is processed
//     before the snapshot (I8).
//   - A trigger and the drain reach all sources in one order, so no barrier
//     follows the end on any input.
//   - A host runs one execution at a time, the newest that it has seen, and
//     opens nothing of it before the one before has closed everything (I13).
//   - What a sink prepared is in every snapshot until it has been published,
//     and is published only after a checkpoint that holds it is committed, or
//     by Sink.Recover from a restored one (I3, I15).
//   - A notice may come twice, late or out of order (I6).
//   - A snapshot that fails declines its checkpoint; the job goes on (I11).
//   - A channel between two subtasks queues at most QueueBatches batches, beside the
//     one that the sender fills and the one that the receiver processes. All that is
//     queued before a subtask, and what a source reads in one step, is about what it
//     processes in barrierWait, and takes no more memory than as many records of
//     RecordBytes; and a record at each place at least. So a barrier passes a slow
//     operator too, and large records do not pile up. No goroutine outlives Run (I12).
package engine
