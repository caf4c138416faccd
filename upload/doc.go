// Package upload answers: how do bytes reach the store, and how do they come
// back?
//
// A Store keeps immutable objects under slash-separated names; a Reader is the
// half of it that cannot change anything. Implementations live in packages of
// their own (memstore, filestore, s3store; storeurl opens one by its URL), and
// one suite, storetest, holds all of them to the same behaviour. What every
// store needs lies here: Body (bytes that can be read again, with their
// checksum), and the decorators Prefixed, Retrying and Counting. faultstore and
// tracestore are decorators for tests.
//
// # Invariants
//
//   - A Put is visible as a whole or not at all, and its bytes are those of the
//     Body's checksum (I1, I10).
//   - An object is created or replaced conditionally by exactly one of any
//     number of writers, in any number of processes (I4).
//   - Every operation may be repeated with the same effect (I6). What may not
//     be, a Put with IfMatch whose outcome is unknown, is never repeated here.
//   - ErrNotExist is said only by a store that knows; no other failure is ever
//     turned into it (I2, I10).
//   - A body or a get holds one open file and one buffer, whatever its size
//     (I12).
//   - A failed multipart upload is aborted (I5).
package upload
