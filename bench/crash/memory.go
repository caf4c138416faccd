package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// container is a control group with a limit of memory, of version 1 or 2.
type container struct {
	dir    string
	events string // the file that counts the processes killed for memory
}

// newContainer makes a control group at the top of the hierarchy, which takes the rights
// to.
func newContainer(bytes int64) (*container, error) {
	for _, version := range []struct{ mount, proof, limit, events string }{
		{"/sys/fs/cgroup/memory", "cgroup.procs", "memory.limit_in_bytes", "memory.oom_control"},
		{"/sys/fs/cgroup", "cgroup.controllers", "memory.max", "memory.events"},
	} {
		if _, err := os.Stat(filepath.Join(version.mount, version.proof)); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(version.mount, "tidemark-crash-")
		if err != nil {
			return nil, err
		}
		err = os.WriteFile(filepath.Join(dir, version.limit), []byte(strconv.FormatInt(bytes, 10)), 0)
		if err == nil {
			return &container{dir, version.events}, nil
		}
		if err = errors.Join(err, os.Remove(dir)); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
	}
	return nil, errors.New("the system has no control group for memory that can be written to")
}

// add puts a process into the container.
func (c *container) add(pid int) error {
	if c == nil {
		return nil
	}
	return os.WriteFile(filepath.Join(c.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// killed is how many processes were killed because they took more memory.
func (c *container) killed() (n int64, err error) {
	if c == nil {
		return 0, nil
	}
	b, err := os.ReadFile(filepath.Join(c.dir, c.events))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
			if n, err = strconv.ParseInt(f[1], 10, 64); err != nil {
				return 0, fmt.Errorf("%s: %w", c.events, err)
			}
		}
	}
	return n, err
}

// close removes the container, whose processes have ended.
func (c *container) close() error {
	if c == nil {
		return nil
	}
	return os.Remove(c.dir)
}
