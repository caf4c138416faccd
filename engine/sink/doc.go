// Package sink answers: where do records go?
//
// To files that hold every result exactly once (JSONL), to a writer such as
// standard output (Stdout, Print), nowhere (Discard), into a digest that is the
// same whatever the order (Digest), or to several of these (Tee).
//
// JSONL writes parts under <dir>/.pending, and renames them into <dir> once the
// checkpoint that holds them is committed. Whatever is in <dir> under a name
// part-… is complete and will never change. A part's name holds its operator,
// checkpoint, epoch, attempt, subtask and number, so it has one content for
// ever; the checkpoint is the one it was prepared for.
//
// Invariants
//
//   - A part appears in its directory whole, after its checkpoint is committed,
//     and once, however often and late it is published (I3, I6, I7).
//   - Recover leaves exactly the parts of the restored checkpoint and those
//     before it, or refuses: parts that the checkpoint cannot know are never
//     added to (I3).
//   - What a later epoch has under .pending is never removed (I4).
//   - No path comes out of a checkpoint: the names of parts are made of numbers.
//   - A disk that is full fails Prepare and loses nothing: the rows are kept and
//     written by the next one (I11).
package sink
