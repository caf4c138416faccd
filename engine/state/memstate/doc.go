// Package memstate answers: how is keyed state kept in memory?
//
// It is the backend of unit tests, and of jobs whose state is small and need
// not outlive the process: a handle points at memory, and is good only in the
// process that made it. Each state is a B+ tree whose nodes are shared between
// the live tree, its snapshots and iterators, and copied when one of these
// would see a change.
//
// Invariants
//
//   - A snapshot takes the same short time whatever the size of the state, and
//     nothing that is reachable from it ever changes (I8): Persist may run
//     beside writes.
//   - Opening from handles keeps each entry of the wanted key groups once (I9).
//   - Memory is bounded by the state and what its live handles hold; nothing
//     else bounds it.
package memstate
