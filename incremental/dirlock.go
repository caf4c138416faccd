package incremental

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock is the possession of a directory by one Factory. The system gives it
// free when the process ends, however it ends.
type dirLock struct {
	dir  string
	file *os.File
}

const lockName = "lock"

func lockDir(dir string) (*dirLock, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("local state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make local state directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock local state directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("local state directory %s is in use by another process or an open factory: stop that, or choose another directory: %w", dir, err)
		return nil, errors.Join(err, file.Close())
	}
	return &dirLock{dir: dir, file: file}, nil
}

// empty removes what dead processes left.
func (l *dirLock) empty() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("empty local state directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.dir, e.Name())); err != nil {
			return fmt.Errorf("empty local state directory: %w", err)
		}
	}
	return nil
}

// makeDir makes a new directory; pattern as for os.MkdirTemp.
func (l *dirLock) makeDir(pattern string) (string, error) { return os.MkdirTemp(l.dir, pattern) }

// release gives the directory free, and leaves the file: removing it could
// take it from under somebody who has just opened it.
func (l *dirLock) release() error { return l.file.Close() }
