// Package planted answers: would the tests notice a bug?
//
// A patch in testdata/planted plants one bug that loses, doubles, leaks or
// deletes data, and names the test that must fail (Patch). A mutant changes one
// condition, boundary, operator, statement or result of the decision code, and
// some test of its package should fail (Mutants). Both meet the tests through an
// overlay of changed files: the work tree stays as it is.
//
// Invariants:
//   - A bug counts as caught only if the tests were built and run, and failed.
//   - The same seed and the same tree give the same sample.
package planted
