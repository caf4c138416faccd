// Package anytype answers: which types and values may a user's program come with?
//
// It is for tests of I16: whatever a codec, source or sink accepts comes back equal,
// and all else is refused when the job is built. Draw draws a type, Fill a value of
// it, and Same tells whether the value came back.
//
// Invariants
//
//   - Fill sets every field, also those that are not exported, so that none can be
//     lost without a word.
//   - What is drawn follows from rapid's seed alone.
package anytype
