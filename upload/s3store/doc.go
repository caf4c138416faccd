// Package s3store answers: how is an S3 bucket an object store?
//
// It speaks to AWS S3, and to what is compatible with it as far as conditional
// writes and CRC32C checksums go (Probe tells), by the AWS SDK and nothing
// above it. Objects up to a threshold are one PUT, larger ones a multipart
// upload. A store retries a request hardly at all: wrap it in upload.Retrying.
//
// # Invariants
//
//   - Every PUT carries the CRC32C of the whole object, which the server
//     verifies before the object exists, and which Get verifies again (I1, I10).
//     Only a Copy of more than Options.CopyBytes leaves an object without one.
//   - A conditional request is sent once. So ErrPrecondition is the answer to
//     this very request, and never to an earlier try of it (I4).
//   - A multipart upload that fails is aborted, by a context of its own; what a
//     crash leaves is found by Uploads (I5).
//   - ErrNotExist is said only where the server names the object as what is
//     missing: a missing bucket is ErrNoBucket, an unknown key ErrDenied (I10).
//   - Memory is one buffer a part on its way, not the part (I12).
//   - No request waits for ever: dialling, the response's header and a stalled
//     body have a limit, whatever the context (I11).
//
// The only package that imports the AWS SDK.
package s3store
