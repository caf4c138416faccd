// Package deploy answers: what passes between a job's driver and its hosts?
//
// A job has one driver, and a host in each worker, which is a process. The driver
// attaches to the coordinator, lists splits, recovers sinks, places subtasks and
// restarts the job; a host runs the subtasks that are deployed to it. Commands go from
// the driver to a host, and reports come back. Both name their Execution, an attempt of
// the job. Driver decides what the driver does next, Place where subtasks run, and
// Guard which commands a host obeys. Package engine carries the decisions out.
//
// Invariants
//
//   - Everything here is plain data or a function of it: no I/O, no clock, no
//     goroutine. A message that is encoded, sent and decoded means the same.
//   - A host obeys commands of the highest execution that it has seen, and no
//     others (I13).
//   - A driver believes reports of its current execution, and no others (I13).
//   - Hosts process no record before all of them have opened all subtasks, so
//     that every restored byte has been verified (I10).
//   - A job ends well only when every host has published and stopped; else it
//     is attempted again from the newest checkpoint (I3).
package deploy
