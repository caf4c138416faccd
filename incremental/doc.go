// Package incremental answers: what is a checkpoint?
//
// A manifest describes a checkpoint. It is an immutable object that holds the operator
// state of a job and names every file of its keyed state, with its place, size and
// checksum. Keyed state is the files of a local store (a Base, RocksDB in production),
// packed into immutable data objects. A checkpoint uploads only files that its base
// checkpoint does not hold: Plan decides what to reuse, Pack how the rest becomes
// objects, Backend and Factory carry it out. FORMAT.md describes the bytes of a
// manifest; Verify compares a checkpoint with the store.
//
// Planning, packing and the codec are pure. Only Backend, Factory, Verify and
// the two functions that move manifests do I/O.
//
// Invariants
//
//   - A file's identity is the piece of an object where its bytes lie. Its
//     local name is compared only with names that the same instance of the
//     local store wrote or was restored from (I7).
//   - A handle lists every object that its files refer to, and every range lies
//     inside its object (I1).
//   - An object name is used for one content, and objects are only ever added:
//     nothing in this package deletes from a store (I2).
//   - Every restored byte was compared with its checksum before the local store
//     is opened (I10).
//   - Whatever DecodeManifest accepts, EncodeManifest writes back with the same
//     body; whatever it does not understand completely, it refuses (I10).
//   - A snapshot's local files are gone once Persist or Release returned (I12).
package incremental
