// Package format answers: how are manifests and handles written?
//
// It holds the protobuf schema of manifests and handles, the code that protoc
// generates from it, and a strict codec. What the fields mean stands in
// FORMAT.md of package incremental, which alone turns them into the types that
// the program works with. Run `make proto` after a change of the schema.
//
// A manifest holds up to a million files, so each property of a file is a column: a
// packed list with one value for each file. Names that recur stand in a list once,
// and others refer to them by index.
//
// # Invariants
//
//   - Unmarshal accepts only what Marshal wrote: one message has one encoding,
//     and whatever the schema does not have is refused (I10).
//   - A change of the schema is a new version of the manifest's format: a reader
//     never skips what it does not know.
package format
