// Package optional answers: does a value have an optional method, or only one
// of its name?
//
// Go finds an optional method by an interface assertion. A method of the right
// name and a wrong type fails it silently and is never called, so whoever asks
// for an optional method asks here.
//
// Invariants
//
//   - A value with a method of a name that is asked for either gets it called or
//     is refused, with both types.
package optional
