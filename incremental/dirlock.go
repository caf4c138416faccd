package incremental

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// dirLock is the possession of a directory by one Factory. The system frees it
// when the process ends, however it ends. Any goroutine may use it.
type dirLock struct {
	dir string // absolute

	mu   sync.Mutex
	file *os.File // the lock; guarded by mu
	home *os.File // dir, as it was taken; guarded by mu

	released bool // for good; guarded by mu
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
func lockDir(dir string) (*dirLock, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("local state directory: %w", err)
	}
	l := &dirLock{dir: dir}
	return l, l.keep()
}

// keep takes the directory, unless it has it. Somebody may remove a directory that is
// in use, or the mark in it: cleaners of temporary files do.
func (l *dirLock) keep() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return fmt.Errorf("local state directory %s was given up: %w", l.dir, os.ErrClosed)
	}
	name := filepath.Join(l.dir, lockName)
	if l.file != nil && isAt(l.file, name) {
		return nil
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return fmt.Errorf("make local state directory: %w", err)
	}
	home, err := os.Open(l.dir)
	if err != nil {
		return fmt.Errorf("local state directory: %w", err)
	}
	file, err := l.lock(name)
	if err != nil {
		return errors.Join(err, home.Close())
	}
	if l.file != nil { // of what is gone
		_, _ = l.file.Close(), l.home.Close()
	}
	l.file, l.home = file, home
	return nil
}

// lock locks and marks the file of that name in the directory, which must be new, empty
// or marked, or the one that l has.
func (l *dirLock) lock(name string) (*os.File, error) {
	mine := l.home != nil && isAt(l.home, l.dir) // only the mark is gone
	if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) && !mine {
		if err := holdsNothing(l.dir); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock local state directory: %w", err)
	}
	if err := take(l.dir, file, mine); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// isAt reports whether a file is still the one of that name.
func isAt(file *os.File, name string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(opened, named)
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

// take locks the file in dir, and writes the mark with this process in it. mine: the
// directory was this process's before.
func take(dir string, file *os.File, mine bool) error {
	locked := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	mark, err := io.ReadAll(io.LimitReader(file, 128))
	if err != nil {
		return fmt.Errorf("read the mark of local state directory %s: %w", dir, err)
	}
	owner, marked := strings.CutPrefix(strings.TrimSpace(string(mark)), lockMark)
	switch {
	case len(mark) > 0 && !marked:
		return fmt.Errorf("%w: %s has a file %q of another program", ErrForeignDir, dir, lockName)
	case locked != nil:
		return fmt.Errorf("%w: process %s has locked %s: %w", ErrInUse, owner, dir, locked)
	case !marked && !mine: // new, or the empty lock of another program
		if err := holdsNothing(dir); err != nil {
			return err
		}
	}
	mark = fmt.Appendf(nil, "%s%d\n", lockMark, os.Getpid())
	if _, err := file.WriteAt(mark, 0); err != nil {
		return fmt.Errorf("mark local state directory %s: %w", dir, err)
	}
	if err := file.Truncate(int64(len(mark))); err != nil {
		return fmt.Errorf("mark local state directory %s: %w", dir, err)
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

// makeDir makes a new directory; pattern as for os.MkdirTemp. If the directory for local
// state was removed, it takes it anew.
func (l *dirLock) makeDir(pattern string) (string, error) {
	if err := l.keep(); err != nil {
		return "", err
	}
	return os.MkdirTemp(l.dir, statePrefix+pattern)
}

// release frees the directory, and leaves the file: removing it could take it
// from under somebody who has just opened it.
func (l *dirLock) release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
	return errors.Join(l.file.Close(), l.home.Close())
}
