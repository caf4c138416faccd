// Package nexmark answers: which events does a seeded run have?
//
// It generates Nexmark's persons, auctions and bids, and the keys of the counting
// jobs. Event n follows from the seed and n alone, as
// testdata/nexmark/GENERATOR.md defines: any program in any language generates
// the same events, on any number of subtasks, and any run can be replayed. The
// hash of the results' digests is here too.
//
// Invariants
//
//   - Event n depends on nothing but the seed, the rate, the number of keys and
//     n: not on the parallelism, nor on the events generated before it.
//   - The splits of a source partition its records, and a reader that starts
//     from a split's position returns exactly the records behind it (I8).
//   - A part of a record that is kept keeps no other record's memory (I12).
package nexmark
