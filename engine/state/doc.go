// Package state answers: what may an operator remember?
//
// An operator opens its states by name when it opens (NewValue, NewList,
// NewMap, NewReducing, NewAggregating; NewOperatorList for what belongs to no
// key), and reads and writes them for the current key, which the engine gives
// with each record. What is below is a Backend, a sorted map of bytes for each
// state; statetest holds the tests that every backend must pass, and memstate
// is the one in memory.
//
// A backend may keep values of types without pointers as they lie in memory
// (CellColumn), and may be told which keys come next (ExpectingColumn); neither
// changes what a state means.
//
// # Column keys
//
// Each state has a column. Its keys are
//
//	key group (2 bytes, big-endian) ‖ key ‖ length of namespace ‖ namespace
//
// where the length is a varint, 0 without a namespace. The key is what
// KeyCodec makes: no encoding of a key is a prefix of another's, so that the
// whole can be cut apart again and no column key of a state is a prefix of
// another's. A map appends the encoded map key; a list keeps its length under
// the column key itself, and item i under the column key and i in 8 bytes,
// big-endian.
//
// Integers are big-endian in their own width with the sign bit flipped (int
// and uint have 8 bytes), a bool is 0 or 1, a string ends with a zero byte and
// has its bytes 0 and 1 as 1 1 and 1 2, structs and arrays are their parts in
// order.
//
// # Stored values
//
// Every stored value starts with a header byte, the version of the format in
// its upper half (now 1) and flags in the lower (none has a meaning yet; a
// time to live will have one, and follow the header). A reader refuses a
// header that it does not know. Then follows the value as its Codec has it:
// varints for integers of 16 bits and more, the number of fields before those
// of a struct, the length before strings, and the length + 1 before slices and
// maps, of which 0 is nil.
//
// # Other versions of a job
//
// A state's Descriptor is kept in every checkpoint. A job whose states do not
// fit is refused before it reads a record, with an error that wraps
// ErrIncompatible; see Compatible for what may change.
//
// # Invariants
//
//   - An encoded key follows from the key alone, and its hash from the encoded
//     key, in every process and version: neither ever changes (I9).
//   - Decoding any bytes gives a value or ErrCorrupt; it neither panics nor
//     takes memory out of proportion to the bytes (I10, I12).
//   - What Compatible accepts decodes, and fields that were not there are zero.
//   - A snapshot holds exactly what was written before it (I8).
package state
