// Package sink answers: where do records go?
//
// To files that hold every row exactly once (JSONL), to a writer such as
// standard output (Stdout, Print), nowhere (Discard), into a digest that does
// not depend on the order of rows (Digest), or to several of these (Tee).
//
// JSONL writes part files under <dir>/.pending, and renames them into <dir> once
// the checkpoint that holds them is committed. A file named part-… in <dir> is
// complete and never changes. Its name holds its job, its operator, the checkpoint
// that it was prepared for, epoch, attempt, subtask and number, so a name has one
// content for ever. <dir>/.owner names the job to which the directory belongs. Earlier
// versions had no such file, and no job in the names: their parts belong to the job
// whose checkpoint knows them.
//
// Invariants
//
//   - A part appears in its directory whole, once, and after its checkpoint is
//     committed, however often and late it is published (I3, I6, I7).
//   - Recover leaves exactly the parts of the restored checkpoint and those
//     before it. Where there are other parts it refuses (I3).
//   - Recover never removes what a later epoch has under .pending (I4), or what does
//     not have the job in its name.
//   - A directory with the parts of a job is changed by no other job (I17).
//   - No path is taken from a checkpoint: names of parts are made of numbers.
//   - A full disk fails Prepare and loses nothing: the rows are kept, and the
//     next Prepare writes them (I11).
package sink
