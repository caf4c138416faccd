// Package filestore answers: how is a directory an object store?
//
// An object is a plain file at <root>/<name>. Its checksum, size and version are
// in an extended attribute of the file ("user.tidemark.object"), which is set
// before the file gets its name: both appear in one rename, and no crash separates
// them. A file without the attribute, put there by hand or by a copy that drops
// attributes, is served without verification; its version is made of inode, size
// and modification time. <root>/.tidemark/ holds temporary files and locks; names
// that begin with a dot are no objects.
//
// # Invariants
//
//   - A Put syncs the file, renames it and syncs its directory: the object is
//     there as a whole and durable, or not at all (I1, I3).
//   - A Put checks its condition and renames under a lock of the name, a mutex in
//     this process and flock between processes, so a conditional Put has one winner
//     (I4). The kernel releases the lock of a process that dies.
//   - A version is never used twice (I7).
//   - A temporary file is removed only by its owner, or once no living process
//     holds its lock.
//   - A missing root is ErrNoBucket and never an empty store (I2, I10).
package filestore
