// Package storetest answers: does a store keep the promises of upload.Store?
//
// Run is one suite for every store and every decorator. A store that passes it
// may hold checkpoints. s3server, below it, is a real S3 server for tests.
//
// # Invariants
//
//   - The suite relies on nothing but the upload.Store interface.
//   - Each of its tests has a store of its own, and leaves no goroutine behind.
package storetest
