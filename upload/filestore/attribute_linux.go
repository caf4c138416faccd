package filestore

import "golang.org/x/sys/unix"

// noAttribute is how this system says that a file lacks an attribute.
const noAttribute = unix.ENODATA
