// Package s3store answers: how is an S3 bucket an object store?
//
// It uses the AWS SDK to speak to AWS S3 and to compatible services, which must
// compare and swap in one step and take CRC32C checksums and multipart uploads (Probe
// checks). Objects up to a
// threshold are one PUT, larger ones a multipart upload. A store itself hardly
// retries: decorate it with upload.Retrying.
//
// # Invariants
//
//   - Every PUT carries the CRC32C of the whole object, which the server
//     verifies before the object exists, and which Get verifies again (I1, I10).
//     Only a Copy of more than Options.CopyBytes leaves an object without one.
//   - A conditional request is sent once, so ErrPrecondition is always the answer to
//     that request (I4). Only where the server did not accept the credentials is it sent
//     again, with new ones: that answer says that nothing was applied.
//   - Probe lets no server pass that was seen to let two writers win, and leaves nothing
//     in the store (I4, I5).
//   - A failed multipart upload is aborted, with a context of its own. Uploads finds
//     those that a crash left (I5).
//   - ErrNotExist means that the server named the object as missing. A missing
//     bucket is ErrNoBucket, an unknown access key ErrDenied (I10).
//   - Memory is one buffer for each part in flight, not the part (I12).
//   - No request waits for ever: dialling, the response's header and a stalled body
//     have time limits, whatever the context (I11).
//
// Only this package, and bench/rawstore, which measures the SDK alone, import the
// AWS SDK.
package s3store
