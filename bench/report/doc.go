// Package report answers: how is a measurement told?
//
// A Document is written as Markdown for people and as JSON for programs, from the
// same values, with charts as SVG beside them. Each says on what it was measured:
// version, linked RocksDB, processors, load.
//
// # Invariants
//
//   - What is in the Markdown is in the JSON.
//   - A bar that was not reached, and a row that was left out, are in both.
package report
