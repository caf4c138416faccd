// Package nexmark answers: which events does a seeded run have?
//
// It makes Nexmark's persons, auctions and bids, and the keys of the counting
// workloads, from (seed, n) alone, as testdata/nexmark/GENERATOR.md defines
// them: any program in any language makes the same events, on any number of
// sources, and any run can be replayed. It also holds the hash in which the
// digests of results are given.
//
// Invariants
//
//   - Event n depends on nothing but the seed, the rate, the number of keys and
//     n: not on the parallelism, nor on which events were made before it.
//   - The splits of a source partition its records, and a reader that starts
//     from a split's position returns exactly the records behind it (I8).
//   - What is retained of a record retains the memory of no other record (I12).
package nexmark
