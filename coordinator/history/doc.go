// Package history answers: what became of a job's checkpoints?
//
// History lists the checkpoints of a job that ended, completed and failed ones, with
// the times, sizes and subtasks of each. It is for people and their tools. It outlives
// the coordinator as an object of the job's store, "history/<epoch>-<number>". An
// object is never changed: a Log writes a new one and deletes the one before. Of
// several the newest by epoch, then number, counts, and the others are garbage.
//
// History is advice, not truth: head says which checkpoints exist. A crash loses what
// was not written yet (WriteEvery), and a job whose history cannot be read or written
// runs as well without.
//
// Invariants
//
//   - A Log never blocks whoever adds to it, and a failed request harms nothing but
//     history (I11).
//   - The size of a history, in memory and in the store, is bounded (I12).
//   - A name has one content (I7), and only a lesser history is ever deleted (I2).
//   - No byte of a history is used before its checksum was verified (I10).
package history
