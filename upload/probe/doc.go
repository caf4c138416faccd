// Package probe answers: what does this store guarantee?
//
// A Check tries one thing that a store must do or may do, with objects of its own. Start
// makes the checks without which a job would fail later or lose data. Analyze makes all of
// them, those of every store and those that a store adds for its kind, and says in a Report
// what each is for and what the store's settings do to a job.
//
// # Invariants
//
//   - A store that was seen to let two writers win does not pass (I4).
//   - A probe writes and deletes only objects with names that a probe gave, and deletes all
//     of its own, also after an error. What a killed probe left is deleted an hour later
//     (I5, I17).
//   - A check is tried again, on new names, where its failure may pass (I11).
package probe
