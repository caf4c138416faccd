// Package filestore answers: how is a directory an object store?
//
// An object is a plain file of its bytes at <root>/<name>. What the store knows
// of it beyond that, checksum, size and version, is an extended attribute of
// the file ("user.tidemark.object"), set before the file gets its name: so both
// appear in one rename, and no crash parts them. A copy that drops attributes,
// or a file put there by hand, is served without verification; its version is
// made of inode, size and time of change. <root>/.tidemark/ holds temporary
// files and locks; names that begin with a dot are no objects.
//
// # Invariants
//
//   - An object appears by a rename of a file that was synced, under a directory
//     that is synced after: it is there as a whole, for good, or not at all
//     (I1, I3).
//   - Check and rename of a Put happen under a lock of the name, in this process
//     by a mutex and between processes by flock, so a conditional Put has one
//     winner (I4). The kernel ends the lock with the process that held it.
//   - A version is never used twice (I7).
//   - A temporary file is removed only by its owner, or once no living process
//     holds its lock.
//   - A missing root is ErrNoBucket and never an empty store (I2, I10).
package filestore
