package filestore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributeName is the extended attribute that describes a file's object.
const attributeName = "user.tidemark.object"

// errNoAttributes: the file system has no extended attributes.
var errNoAttributes = errors.New("no extended attributes")

// attribute is "1 <crc32c> <size> <version>": a format version, and the rest as
// in upload.Info.
type attribute struct {
	crc32c  uint32
	size    int64
	version string
}

func setAttribute(f *os.File, a attribute) error {
	text := fmt.Sprintf("1 %08x %d %s", a.crc32c, a.size, a.version)
	err := unix.Fsetxattr(int(f.Fd()), attributeName, []byte(text), 0)
	if errors.Is(err, unix.ENOTSUP) {
		return errNoAttributes
	}
	if err != nil {
		return fmt.Errorf("set attribute: %w", err)
	}
	return nil
}

// getAttribute returns false where the file has none.
func getAttribute(f *os.File) (attribute, bool, error) {
	buf := make([]byte, 256)
	n, err := unix.Fgetxattr(int(f.Fd()), attributeName, buf)
	switch {
	case errors.Is(err, noAttribute), errors.Is(err, unix.ENOTSUP):
		return attribute{}, false, nil
	case err != nil:
		return attribute{}, false, fmt.Errorf("get attribute: %w", err)
	}
	var a attribute
	var format int
	if _, err := fmt.Sscanf(string(buf[:n]), "%d %x %d %s", &format, &a.crc32c, &a.size, &a.version); err != nil || format != 1 {
		return attribute{}, false, fmt.Errorf("attribute %s is %q, which this version does not understand", attributeName, buf[:n])
	}
	return a, true, nil
}

// newVersion returns a version that was never used before.
func newVersion() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return hex.EncodeToString(b[:])
}

// foreignVersion is the version of a file that this package did not write.
func foreignVersion(stat os.FileInfo) string {
	var inode uint64
	if sys, ok := stat.Sys().(*syscall.Stat_t); ok {
		inode = sys.Ino
	}
	return fmt.Sprintf("f-%d-%d-%d", inode, stat.Size(), stat.ModTime().UnixNano())
}
