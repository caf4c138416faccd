// Package state answers: what may an operator remember?
//
// An operator opens its states by name when it opens (NewValue, NewList,
// NewMap, NewReducing, NewAggregating; NewOperatorList for what belongs to no
// key), and reads and writes them for the current key, which the engine gives
// with each record. What is below is a Backend, a sorted map of bytes for each
// state; statetest holds the tests that every backend must pass, and memstate
// is the one in memory.
//
// A backend may offer more than a sorted map (RowColumn): it gets the hash that routed
// the record with each access, and learns which entries belong to one key; it keeps
// values of types without pointers as they lie in memory (CellForm); and it takes
// operands, additions to a value that it has not read (Fold). An ExpectingColumn also
// gets the keys that come next. None of this changes what a state means.
//
// # Column keys
//
// Each state has a column. Its keys are
//
//	key group (2 bytes, big-endian) ‖ key ‖ length of namespace ‖ namespace
//
// where the length is a varint, 0 without a namespace. The key is what
// KeyCodec makes: no encoding of a key is a prefix of another's. So the parts can
// be told apart again, and no column key of a state is a prefix of another's. A map
// appends the encoded map key. A list keeps the index of its next item under the
// column key itself, and item i under the column key and i in 8 bytes, big-endian.
//
// Integers are big-endian in their own width with the sign bit flipped (int
// and uint have 8 bytes), a bool is 0 or 1, a string ends with a zero byte and
// has its bytes 0 and 1 as 1 1 and 1 2, structs and arrays are their parts in
// order.
//
// # Stored values
//
// Every stored value starts with a header byte, the version of the format in
// its upper half (now 1) and flags in the lower. Flag 1 says that the expiry of the
// value follows, in Unix milliseconds, 8 bytes, big-endian; the others have no
// meaning yet. A reader refuses a header that it does not know. Then comes the value
// as its Codec encodes it: varints for integers of 16 bits and more, the number of
// fields before those of a struct, the length before strings, and the length + 1
// before slices and maps, where 0 is nil.
//
// # Expiry
//
// A stored value says when it expires (TTL, Expiry), so that neither a backend
// nor another version of the job needs to know more. To a reader an expired value
// is absent. A backend may drop expired values at any time and in any order.
//
// A list keeps the index of its next item. That entry expires with the list's last
// item, so an expired list has none. Where some items expire, a byte 1 follows the
// index: a reader then looks which items are still there, instead of taking all of
// them for present. Items that an expired list left behind have indices that its
// successor has not reached yet. Readers ignore them.
//
// # Adding without reading
//
// Reducing.Add, and Aggregating.Add where the Aggregate has a Merge, do not read
// the value if the backend takes operands. The backend keeps an operand, which is
// what was added so far, and merges it into the value when somebody asks for that,
// or when it leaves memory. No operand is ever stored. The result is that of
// reading first, if the user's function is associative. The function gets the older
// value first. Any goroutine may call it, any number of times, so its result must
// depend on its arguments alone. If the older value had expired when the operand
// began, the merge takes it for absent; if it expired later, the merge still uses
// it, as a read at the beginning would have.
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
//   - A value that a subtask has found expired never comes back. States without a TTL
//     ask for the time only when an operand begins.
//   - An addition to a key counts once, also if reads, writes and failed writes come
//     between (I3).
package state
