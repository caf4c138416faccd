package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrHeld: another process holds the name.
var ErrHeld = errors.New("in use by another process")

const heldDir = ownDir + "/held"

// Hold holds a name in the store at root for this process, until release is called or
// the process ends. It is no object's name, and keeps nobody from any object: processes
// that ask for the same name agree on who goes on.
func Hold(root, name string) (release func() error, err error) {
	fail := func(err error) error { return fmt.Errorf("hold %s in %s: %w", name, root, err) }
	if filepath.Base(name) != name {
		return nil, fail(errors.New("it is not one name"))
	}
	dir := filepath.Join(root, filepath.FromSlash(heldDir))
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fail(classify(err))
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, fail(classify(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(f, 64)) // for the message only
			err = fmt.Errorf("%w (%s)", ErrHeld, holder)
		}
		return nil, errors.Join(fail(err), f.Close())
	}
	who := fmt.Appendf(nil, "process %d", os.Getpid())
	_, err = f.WriteAt(who, 0)
	if err := errors.Join(err, f.Truncate(int64(len(who)))); err != nil {
		return nil, errors.Join(fail(classify(err)), f.Close())
	}
	return f.Close, nil
}
