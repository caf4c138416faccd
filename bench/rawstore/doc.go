// Package rawstore answers: how fast is an S3 server to the SDK alone?
//
// It is the comparator of uploads and restores: PutObject and GetObject of
// objects of given sizes, with the SDK's own settings and nothing of this
// project between.
//
// # Invariants
//
//   - As many bytes are put and got as were asked for, or there is an error.
package rawstore
