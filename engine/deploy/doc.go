// Package deploy answers: what passes between a job's driver and its hosts?
//
// Invariants
//
//   - Everything here is plain data or a pure function of it: no I/O, no clock,
//     no goroutine. What a message holds can be encoded, sent and decoded, and
//     means the same on the other side (I16).
package deploy
