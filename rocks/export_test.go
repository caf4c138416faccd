package rocks

// Failure is for tests of the classification.
var Failure = failure
