// Package crash answers: what is lost when a job is killed?
//
// It runs each job once undisturbed, and then again as a child process that is
// killed with SIGKILL at random moments and started anew with the same command
// until it completes. The moments are aimed at start-up, at uploads, at
// commits and at the publishing of output, and come from a seed: the same seed
// aims in the same way, but where a process is when the signal reaches it is
// up to the machine. At will processes start again with another parallelism, or
// are stopped instead of killed and go on beside their successors.
//
// # Invariants
//
//   - A kill counts only where the signal ended a running process.
//   - The committed output of the killed runs is that of the undisturbed one (I3).
//   - Whenever a process was killed, what the retained checkpoints reach is
//     whole (I1), and head's version, epoch and ids have not gone back (I7).
//   - After a clean end the store holds head and what is reachable, no upload
//     is open (I5), and nothing waits to be published.
//   - A process that went on after another one had led does no harm, and ends
//     with the word that it is fenced (I2, I4).
//   - What was found broken stays on disk, and is named.
package crash
