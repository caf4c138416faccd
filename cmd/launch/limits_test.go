package launch

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/rocks"
)

// The least limit of the group and those above it counts, in either version.
func TestMemoryLimitOfControlGroups(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none":       {nil, 0},
		"version 2":  {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "300\n"}, 300},
		"inherited":  {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "200\n"}, 200},
		"the root's": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n"}, 100},
		"unlimited":  {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"version 1": {map[string]string{"proc/self/cgroup": "5:cpu:/a\n4:blkio,memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 300},
		"version 1, unlimited":  {map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		"both":                  {map[string]string{"proc/self/cgroup": "4:memory:/a\n0::/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "500\n", "sys/fs/cgroup/a/memory.max": "400\n"}, 400},
		"hidden in a container": {map[string]string{"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/memory.max": "100\n"}, 100},
		"damaged":               {map[string]string{"proc/self/cgroup": "nonsense\n0::/\n", "sys/fs/cgroup/memory.max": "?\n"}, 0},
	} {
		fs := fstest.MapFS{}
		for name, text := range c.files {
			fs[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryLimit(fs); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Budgets that exceed what there is are warned of at the default level, with both
// numbers; those that fit, and limits that are not known, are not.
func TestLimitsAreWarnedOf(t *testing.T) {
	j := engine.NewJob("j")
	in := engine.From(j, "in", enginetest.FromSlice(1))
	engine.Process(engine.KeyBy(in, func(v int) int { return v }), "op", func() *nothing { return &nothing{} }).To("out", enginetest.Discard[int]())
	for name, c := range map[string]struct {
		limits limits
		says   []string
	}{
		"not known": {limits{}, nil},
		"enough":    {limits{memoryBytes: 1 << 40, openFiles: 1 << 20, diskBytes: 1 << 40}, nil},
		"memory":    {limits{memoryBytes: 12345}, []string{"--table-memory", "has=12345", "needs="}},
		"files":     {limits{openFiles: 54}, []string{"ulimit -n", "has=54", "needs="}},
		"disk":      {limits{diskBytes: 678}, []string{"--state-dir", "has=678", "needs="}},
	} {
		var log bytes.Buffer
		config := Config{Job: j, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
		config.warnOfLimits(config.memory(100), c.limits)
		if (c.says == nil) != (log.Len() == 0) || strings.Count(log.String(), "\n") > 1 {
			t.Errorf("%s: %s", name, log.String())
		}
		for _, s := range c.says {
			if !strings.Contains(log.String(), s) {
				t.Errorf("%s: %q lacks %q", name, log.String(), s)
			}
		}
	}
	if l := hostLimits("/no/such/directory"); l.openFiles <= 0 || l.diskBytes <= 0 {
		t.Errorf("this machine: %+v", l)
	}
}

// Files are shared out by what the process may open, the databases and the cache.
func TestOpenFiles(t *testing.T) {
	j := engine.NewJob("j")
	in := engine.From(j, "in", enginetest.FromSlice(1))
	engine.Process(engine.KeyBy(in, func(v int) int { return v }), "op", func() *nothing { return &nothing{} }).To("out", enginetest.Discard[int]())
	for _, c := range []struct {
		limit       int64
		memory      int64
		parallelism int
		want        int
	}{
		{0, 0, 1, 2048}, // no limit, 128 MiB
		{1 << 20, 1 << 30, 1, 4096},
		{1024, 1 << 30, 1, 1024/2 - 32},
		{4096, 1 << 30, 4, 4096/2/4 - 32},
		{1 << 20, 32 << 20, 4, 128},
		{256, 1 << 30, 8, 64},
	} {
		config := Config{Job: j, Rocks: rocks.Options{MemoryBytes: c.memory}, Engine: engine.Config{Parallelism: c.parallelism}}
		if got := config.openFiles(limits{openFiles: c.limit}); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

type nothing struct{}

func (*nothing) Open(engine.OpenContext) error                           { return nil }
func (*nothing) Process(engine.Context[int], int, engine.Out[int]) error { return nil }
