// Package observe answers: what did one run of a job do and cost?
//
// It runs the job in this process through cmd/launch, counts the requests to the
// store, keeps a report of each checkpoint, and reads the profile if one was taken.
//
// # Invariants
//
//   - Observing changes nothing that the job computes, reads or stores.
package observe
