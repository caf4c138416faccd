// Package upload answers: how do bytes reach the store, and how do they come
// back?
//
// A Store keeps immutable objects under slash-separated names; a Reader is the
// part of it that changes nothing. Implementations are packages of their own
// (memstore, filestore, s3store; storeurl opens one by its URL). One suite,
// storetest, tests the same behaviour of all of them. What every store needs is
// here: Body (bytes that can be read again, with their checksum), and the
// decorators Prefixed, Limited, Retrying and Counting. faultstore and tracestore are
// decorators for tests.
//
// # Invariants
//
//   - A Put is visible as a whole or not at all, and its bytes are those of the
//     Body's checksum (I1, I10).
//   - Of any number of conditional writers, in any number of processes, exactly
//     one wins (I4).
//   - Every operation may be repeated with the same effect (I6), but for a Put with
//     IfMatch whose outcome is unknown: nothing here repeats it.
//   - A store returns ErrNotExist only if it knows; no other failure becomes it
//     (I2, I10).
//   - A body or a get holds one open file and one buffer, whatever its size
//     (I12).
//   - A store that throttles slows all transfers of a Limiter, and no operation
//     that still waits for its turn has reached the store (I6, I11).
//   - A failed multipart upload is aborted (I5).
package upload
