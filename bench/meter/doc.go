// Package meter answers: what does a program ask of an S3 server, and what would it cost?
//
// A Meter stands between any client and any server, ours and others', so that both are
// counted at the same place: requests as they are billed, not calls of a library.
//
// # Invariants
//
//   - A request is passed on with its host and path, so that its signature holds.
//   - Each request is counted once, when its answer has been sent.
package meter
