package sink

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark/tidemark/engine"
)

// ownerName is the file in an output directory that names the job whose parts lie there.
// Runs of that job hold a shared lock of it. It changes under an exclusive lock alone, so
// not while the job runs. A directory of an earlier version has none.
const ownerName = ".owner"

// ownerMark begins the text of an owner file; the job follows.
const ownerMark = "tidemark output of "

// ErrOutputInUse: the output directory belongs to another job.
var ErrOutputInUse = errors.New("output directory of another job")

// markOf is the text of the owner file in dir for a job. A store in a directory is named
// by the way to it from dir: both may be moved or copied together.
func markOf(dir string, j engine.Identity) string {
	if store, local := strings.CutPrefix(j.Store, "file://"); local {
		root, job := filepath.Split(store) // the root exists
		if rel, err := filepath.Rel(real(dir), filepath.Join(real(root), job)); err == nil {
			j.Store = rel
		}
	}
	return ownerMark + j.String() + "\n"
}

// real returns the absolute path of a directory that exists, without symbolic links.
func real(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if direct, err := filepath.EvalSymlinks(dir); err == nil {
		dir = direct
	}
	return dir
}

// hold keeps other jobs out of an output directory until release is called. It makes the
// directory, and marks it if it holds no parts. Parts without a mark are for Recover,
// which knows whether they are of the job.
func hold(dir string, j engine.Identity) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make output directory: %w: choose one that can be written to", err)
	}
	for {
		f, err := openOwner(dir)
		if err != nil {
			return nil, err
		}
		if err := take(f, dir, j); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if still(f) {
			return func() error { return letGo(f, dir, j) }, nil
		}
		_ = f.Close() // somebody let it go meanwhile
	}
}

func openOwner(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, ownerName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the owner of the output: %w", err)
	}
	return f, nil
}

// still reports whether an open owner file is the one in its directory.
func still(f *os.File) bool {
	open, err := f.Stat()
	is, err2 := os.Lstat(f.Name())
	return err == nil && err2 == nil && os.SameFile(open, is)
}

// letGo ends a lock, and removes the mark where the job left no output.
func letGo(f *os.File, dir string, j engine.Identity) error {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && still(f) {
		mark, err := readMark(f)
		parts, err2 := holdsParts(dir)
		if err == nil && err2 == nil && !parts && (mark == "" || mark == markOf(dir, j)) {
			_ = os.Remove(f.Name()) // an owner of nothing keeps nobody out
		}
	}
	return f.Close()
}

// take locks an owner file for the job.
func take(f *os.File, dir string, j engine.Identity) error {
	if err := lock(f, syscall.LOCK_SH); err != nil {
		return fmt.Errorf("lock output directory %s: %w", dir, err)
	}
	mark, err := readMark(f)
	if err != nil || mark == markOf(dir, j) {
		return err
	}
	// A lock of another run is there, or that of a run which is about to mark the
	// directory: neither lets this one have it alone.
	if err := lock(f, syscall.LOCK_EX); err != nil {
		mark, err = readMark(f)
		switch {
		case err != nil:
			return err
		case mark == markOf(dir, j): // by another run of the job, just now
			return lock(f, syscall.LOCK_SH)
		}
		return inUse(dir, mark, "runs now")
	}
	if mark, err = readMark(f); err != nil { // it was not locked for a moment
		return err
	}
	parts, err := holdsParts(dir)
	switch {
	case err != nil:
		return err
	case parts && mark != "" && mark != markOf(dir, j):
		return inUse(dir, mark, "has parts there")
	case !parts:
		if err := writeMark(f, markOf(dir, j)); err != nil {
			return err
		}
	}
	return lock(f, syscall.LOCK_SH)
}

func inUse(dir, mark, why string) error {
	other := strings.TrimSpace(strings.TrimPrefix(mark, ownerMark))
	if other == "" {
		other = "another job"
	}
	return engine.Permanent(fmt.Errorf("%w: %s is of %s, which %s: choose another directory; if it is the same job and its store was moved, remove %s",
		ErrOutputInUse, dir, other, why, filepath.Join(dir, ownerName)))
}

// lock locks a file, also where another process has it for a moment.
func lock(f *os.File, how int) (err error) {
	for range 20 {
		if err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// readMark returns the text of an owner file; empty: nobody owns the directory.
func readMark(f *os.File) (string, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the owner of the output: %w", err)
	case len(b) > 0 && !strings.HasPrefix(string(b), ownerMark):
		return "", engine.Permanent(fmt.Errorf("%w: %s is a file of another program", ErrOutputInUse, f.Name()))
	}
	return string(b), nil
}

func writeMark(f *os.File, mark string) error {
	_, err := f.WriteAt([]byte(mark), 0)
	if err := errors.Join(err, f.Truncate(int64(len(mark))), f.Sync()); err != nil {
		return fmt.Errorf("mark output directory: %w", err)
	}
	return nil
}

// claim fails if another job owns the directory, and marks it where nobody does.
func claim(dir string, j engine.Identity) error {
	f, err := openOwner(dir)
	if err != nil {
		return err
	}
	mark, err := readMark(f)
	switch {
	case err != nil:
	case mark == "":
		err = writeMark(f, markOf(dir, j))
	case mark != markOf(dir, j):
		err = inUse(dir, mark, "came first")
	}
	return errors.Join(err, f.Close())
}

// holdsParts reports whether there is output in dir, published or not.
func holdsParts(dir string) (bool, error) {
	for _, d := range []struct{ dir, prefix string }{{dir, partPrefix}, {pendingDir(dir), ""}} {
		entries, err := os.ReadDir(d.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("list output directory: %w", err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), d.prefix) {
				return true, nil
			}
		}
	}
	return false, nil
}
