package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// temp is a file that has no object's name yet. Its lock says that it is in use;
// the kernel releases the lock of a process that dies.
type temp struct {
	*os.File
}

func (s *Store) newTemp() (*temp, error) {
	for range 100 {
		path := filepath.Join(s.path(tempDir), fmt.Sprintf("%d-%s", os.Getpid(), newVersion()))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
		if errors.Is(err, fs.ErrNotExist) {
			if err := s.remake(tempDir); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		t := &temp{f}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			// Another process may have removed the file as abandoned before it was
			// locked.
			if isAt(f, path) {
				return t, nil
			}
		}
		t.discard()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
	return nil, errors.New("temporary files vanish as soon as they are made")
}

// discard removes the file, unless it was renamed.
func (t *temp) discard() {
	_ = os.Remove(t.Name()) // if it stays, the next Open removes it
	_ = t.Close()
}

// removeStale removes the temporary files that no living process has locked.
func (s *Store) removeStale() error {
	entries, err := os.ReadDir(s.path(tempDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := removeAbandoned(filepath.Join(s.path(tempDir), e.Name())); err != nil {
			return fmt.Errorf("remove abandoned temporary file: %w", err)
		}
	}
	return nil
}

func removeAbandoned(path string) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // in use
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
