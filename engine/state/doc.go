// Package state answers: what may an operator remember?
//
// An operator opens its states by name when it opens (NewValue, NewList,
// NewMap, NewReducing, NewAggregating; NewOperatorList for what belongs to no
// key), and reads and writes them for the current key, which the engine gives
// with each record. What is below is a Backend, a sorted map of bytes for each
// state; statetest holds the tests that every backend must pass, and memstate
// is the one in memory.
//
// A backend may offer more than a sorted map (RowColumn): it is given the hash that
// routed the record with each access, is told which entries belong to one key, keeps
// values of types without pointers as they lie in memory (CellForm), and takes
// operands, additions to a value that it has not read (Fold). It may also be told
// which keys come next (ExpectingColumn). None of this changes what a state means.
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
// another's. A map appends the encoded map key; a list keeps the index of the item
// to come under the column key itself, and item i under the column key and i in
// 8 bytes, big-endian.
//
// Integers are big-endian in their own width with the sign bit flipped (int
// and uint have 8 bytes), a bool is 0 or 1, a string ends with a zero byte and
// has its bytes 0 and 1 as 1 1 and 1 2, structs and arrays are their parts in
// order.
//
// # Stored values
//
// Every stored value starts with a header byte, the version of the format in
// its upper half (now 1) and flags in the lower: 1, and the expiry of the value
// follows, in Unix milliseconds, 8 bytes, big-endian; the others have no meaning
// yet. A reader refuses a header that it does not know. Then follows the value as
// its Codec has it: varints for integers of 16 bits and more, the number of
// fields before those of a struct, the length before strings, and the length + 1
// before slices and maps, of which 0 is nil.
//
// # Expiry
//
// A value says itself when it expires (TTL, Expiry), so that neither a backend
// nor another version of the job has to know more. A reader takes an expired
// value for absent; a backend may drop it whenever it likes, any of several and
// in any order. A list's index of the item to come expires with the last of its
// items, and has the byte 1 behind it where some of them expire, so that the
// others are known to be there; what is left of a list that has expired lies
// behind the end of the next one, and is passed over.
//
// # Adding without reading
//
// Reducing.Add, and Aggregating.Add where the Aggregate has a Merge, do not read
// the value if the backend can do without: it keeps an operand, what was added by
// itself, and merges it into the value when that is wanted, or leaves memory. No
// operand is ever stored. What comes out is what reading would have given, if the
// user's function is associative. It is called with older values first, and may be
// called in any goroutine, any number of times: it must follow from its arguments
// alone. An older value that had expired when the operand began is absent to it; one
// that has expired since is not, as if it had been read then.
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
//   - What a subtask has once found expired it never finds again, and states
//     that do not expire ask for the time only where an operand begins.
//   - What is added to a key counts once, whatever is read, written, or fails to
//     be written meanwhile (I3).
package state
