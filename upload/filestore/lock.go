package filestore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// stripes is the number of locks that the names share. All processes on a root
// must agree on it.
const stripes = 64

// lock takes the lock of a name, in this process and among processes. A holder
// keeps it briefly, unless its process is stopped; so lock waits as long as ctx
// allows.
func (s *Store) lock(ctx context.Context, name string) (unlock func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	stripe := h.Sum32() % stripes
	mu := &s.locks[stripe]
	wait := time.Millisecond
	pause := func() error {
		t := time.NewTimer(wait)
		defer t.Stop()
		wait = min(2*wait, 50*time.Millisecond)
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for the lock of the name: %w", ctx.Err())
		}
	}
	for !mu.TryLock() {
		if err := pause(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			mu.Unlock()
		}
	}()
	path := filepath.Join(s.path(lockDir), fmt.Sprintf("%02d", stripe))
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
		if errors.Is(err, fs.ErrNotExist) {
			err = s.remake(lockDir)
		} else if err == nil {
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil && isAt(f, path) {
				return func() {
					_ = f.Close() // which ends the lock
					mu.Unlock()
				}, nil
			}
			_ = f.Close()
		}
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("lock: %w", err)
		}
		if err := pause(); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether a file is still the one of that name: somebody may have removed it
// before it was locked.
func isAt(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}
