package launch

import (
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tidemark/tidemark/cmd/api"
)

// limits are what the machine or the container leaves to the process; zero: not
// known, or no limit.
type limits struct {
	memoryBytes int64 // of the control group
	openFiles   int64
	diskBytes   int64 // free below the directory for local state
}

// otherFiles is what a subtask's RocksDB opens beside its table files: logs,
// manifest, lock, and files that are being written or downloaded.
const otherFiles = 32

// Bounds of openFiles. RocksDB needs some files open to merge a column's runs; reading
// from more than these is not sped up by keeping all of them open.
const fewestFiles, mostFiles = 64, 4096

// fileMemory is what an open file takes of the block cache, and a cache that it is a
// small part of: about 1/16.
const fileMemory = 16 * (4 << 10)

// connections is how many connections of the API may be open at once.
func (c Config) connections() int64 {
	if c.HTTP.Address == "" {
		return 0
	}
	return api.MaxConnections
}

// openFiles is how many files each subtask's RocksDB may keep open: an even share of half
// of what the process may open beside the API's connections, as far as the block cache has
// memory for them. A file
// that is not kept open is opened anew when it is read, which takes as long as the read.
func (c Config) openFiles(l limits) int {
	if c.Rocks.OpenFiles > 0 {
		return c.Rocks.OpenFiles
	}
	subtasks := int64(max(1, c.KeyedSubtasks()))
	most := int64(mostFiles)
	if l.openFiles > 0 {
		most = min(most, (l.openFiles-c.connections())/2/subtasks-otherFiles)
	}
	most = min(most, c.Rocks.WithDefaults().MemoryBytes/fileMemory/subtasks)
	return int(max(fewestFiles, most))
}

// warnOfLimits warns of budgets for which there is not enough.
func (c Config) warnOfLimits(m Memory, l limits) {
	warn := func(what string, needs, has int64, do string) {
		if has > 0 && needs > has {
			c.Logger.Warn("a budget is greater than its limit", "job", c.JobID, "what", what, "needs", needs, "has", has, "remedy", do)
		}
	}
	subtasks := int64(c.KeyedSubtasks())
	warn("the job may take more memory than its container has", m.Total, l.memoryBytes, "lower --table-memory and --native-memory, or raise the limit")
	warn("the job may open more files than the process may", (int64(c.openFiles(l))+otherFiles)*subtasks+c.connections(), l.openFiles, "raise the limit (ulimit -n), or lower --parallelism")
	if subtasks > 0 {
		// All recent entries may have to be written while their files are merged.
		warn("the disk may be too full for local state", m.Table+m.Writing, l.diskBytes, "make room below --state-dir, or choose another")
	}
}

// hostLimits asks the system.
func hostLimits(stateDir string) limits {
	l := limits{memoryBytes: memoryLimit(os.DirFS("/"))}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < math.MaxInt64 {
		l.openFiles = int64(files.Cur)
	}
	for dir, err := filepath.Abs(stateDir); err == nil; dir = filepath.Dir(dir) {
		var disk syscall.Statfs_t
		if syscall.Statfs(dir, &disk) == nil {
			l.diskBytes = max(1, int64(disk.Bavail)*disk.Bsize)
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return l
}

// memoryLimit is the least memory limit of the process's control group and those
// above it, in version 1 or 2; zero: there is none.
func memoryLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		mount, file := "", ""
		switch {
		case f[0] == "0" && f[1] == "":
			mount, file = "sys/fs/cgroup", "memory.max"
		case strings.Contains(","+f[1]+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			if n := limitIn(root, path.Join(mount, group, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// noLimit is where version 1 says so: its files hold a number in any case.
const noLimit = 1 << 60

func limitIn(root fs.FS, name string) int64 {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n >= noLimit { // "max"
		return 0
	}
	return n
}
