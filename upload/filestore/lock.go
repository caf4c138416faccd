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
	f, err := os.OpenFile(filepath.Join(s.path(lockDir), fmt.Sprintf("%02d", stripe)), os.O_CREATE|os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.absent()
	}
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() {
				_ = f.Close() // which ends the lock
				mu.Unlock()
			}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
		}
		if err := pause(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}
