// Package crash answers: what is lost when a job is killed?
//
// It runs each job once undisturbed. Then it runs the job as a child process,
// kills it with SIGKILL at random moments, and starts it again with the same
// command until it completes. The moments are aimed at start-up, uploads, commits
// and the publishing of output. A seed chooses them, but how far a process has
// come when the signal arrives depends on the machine. Options let processes start
// again with another parallelism, as those of the job states always do, or be paused
// instead of killed and go on beside their successors, and have gc run beside them.
//
// # Invariants
//
//   - A kill counts only if the signal ended a running process.
//   - The committed output of the killed runs is that of the undisturbed one; that of
//     the job states is what was computed without engine and state (I3).
//   - No process of the job states takes more memory than its container has (I12).
//   - After each kill all that the retained checkpoints reach is whole (I1), and
//     head's version, epoch and ids have not gone back (I7).
//   - After a clean end the store holds head and what is reachable, no upload
//     is open (I5), and nothing waits to be published.
//   - A gc beside a job, killed or not, changes none of this (I2).
//   - A paused process that goes on after another one took the lead does no harm,
//     and ends with an error that says that it is fenced (I2, I4).
//   - What was found broken stays on disk, and is named.
package crash
