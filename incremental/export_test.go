package incremental

// SortHandle is for tests that build handles by hand.
var SortHandle = sortHandle
