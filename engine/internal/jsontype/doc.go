// Package jsontype answers: do values of a Go type come back from JSON as they
// were?
//
// encoding/json loses values of some types without an error: fields that are not
// exported or share a name, the other fields of a struct that embeds a type with
// methods of its own for JSON, the digits of a number in an interface. The sources
// and sinks of JSON refuse such a type when the job is built.
//
// Invariants
//
//   - A type that Check accepts for reading and for writing comes back equal,
//     value by value, but for NaN, infinities and strings that are not UTF-8,
//     which the sink refuses, and empty slices and maps tagged omitempty (I16).
//   - An error names the field's path.
package jsontype
