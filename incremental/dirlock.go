package incremental

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dirLock is the possession of a directory by one Factory. The system frees it
// when the process ends, however it ends.
type dirLock struct {
	dir  string
	file *os.File
}

const (
	// lockName is the file that is locked. Its content is the mark by which a
	// directory of local state is known, and the process that took it last.
	lockName = "lock"
	lockMark = "tidemark local state, of process "
	// statePrefix begins the names of all that a Factory makes in its
	// directory. Nothing else is ever removed.
	statePrefix = "state-"
)

// lockDir takes a directory that is new, empty or marked.
func lockDir(dir string) (_ *dirLock, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("local state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make local state directory: %w", err)
	}
	name := filepath.Join(dir, lockName)
	if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
		if err := holdsNothing(dir); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock local state directory: %w", err)
	}
	l := &dirLock{dir: dir, file: file}
	if err := l.take(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// holdsNothing refuses a directory that holds anything but the lock.
func holdsNothing(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read local state directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockName {
			return fmt.Errorf("%w: %s holds %q", ErrForeignDir, dir, e.Name())
		}
	}
	return nil
}

// take locks the file, and writes the mark with this process in it.
func (l *dirLock) take() error {
	locked := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	mark, err := io.ReadAll(io.LimitReader(l.file, 128))
	if err != nil {
		return fmt.Errorf("read the mark of local state directory %s: %w", l.dir, err)
	}
	owner, marked := strings.CutPrefix(strings.TrimSpace(string(mark)), lockMark)
	switch {
	case len(mark) > 0 && !marked:
		return fmt.Errorf("%w: %s has a file %q of another program", ErrForeignDir, l.dir, lockName)
	case locked != nil:
		return fmt.Errorf("%w: process %s has locked %s: %w", ErrInUse, owner, l.dir, locked)
	case !marked: // new, or the empty lock of another program
		if err := holdsNothing(l.dir); err != nil {
			return err
		}
	}
	mark = fmt.Appendf(nil, "%s%d\n", lockMark, os.Getpid())
	if _, err := l.file.WriteAt(mark, 0); err != nil {
		return fmt.Errorf("mark local state directory %s: %w", l.dir, err)
	}
	if err := l.file.Truncate(int64(len(mark))); err != nil {
		return fmt.Errorf("mark local state directory %s: %w", l.dir, err)
	}
	return nil
}

// empty removes what dead processes left.
func (l *dirLock) empty() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("empty local state directory: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), statePrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.dir, e.Name())); err != nil {
			return fmt.Errorf("empty local state directory: %w", err)
		}
	}
	return nil
}

// makeDir makes a new directory; pattern as for os.MkdirTemp.
func (l *dirLock) makeDir(pattern string) (string, error) {
	return os.MkdirTemp(l.dir, statePrefix+pattern)
}

// release frees the directory, and leaves the file: removing it could take it
// from under somebody who has just opened it.
func (l *dirLock) release() error { return l.file.Close() }
