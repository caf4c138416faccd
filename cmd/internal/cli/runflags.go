package cli

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/rocks"
)

// RunFlags are the flags of a run.
type RunFlags struct {
	// Config and Job are what the flags set. Config returns them completed.
	Config launch.Config
	Job    jobs.Options
	// JSON asks for the report as JSON.
	JSON bool
	Log  LogFlags

	store    StoreFlags
	stopWith string
}

// BindBuiltIn adds the flags to fs, and those of the built-in jobs.
func (f *RunFlags) BindBuiltIn(fs *pflag.FlagSet) {
	bindJob(fs, &f.Job)
	f.bind(fs)
}

// BindOwn adds the flags to fs, behind those that a job has of its own. One of these with
// a name that is taken is a mistake of the program.
func (f *RunFlags) BindOwn(fs *pflag.FlagSet, own *flag.FlagSet) error {
	var every pflag.FlagSet
	f.bind(&every)
	var taken []string
	own.VisitAll(func(o *flag.Flag) {
		if every.Lookup(o.Name) != nil || o.Name == "help" || o.Name == "h" {
			taken = append(taken, "--"+o.Name)
		}
	})
	if len(taken) > 0 {
		return Usage(fmt.Errorf("the job has flags of its own with names that every job's flags have: %s: give them other names", strings.Join(taken, ", ")))
	}
	fs.AddGoFlagSet(own)
	fs.AddFlagSet(&every)
	fs.SortFlags = false
	return nil
}

func (f *RunFlags) bind(fs *pflag.FlagSet) {
	c := &f.Config
	fs.StringVar(&c.Store, "checkpoint-store", launch.DefaultStore, "where checkpoints go: file:///path or s3://bucket/prefix")
	f.store.Bind(fs)
	fs.DurationVar(&c.Interval, "interval", time.Second, "time between checkpoints; 0 turns them off")
	fs.Int64Var(&c.Checkpoints.Records, "checkpoint-records", 0, "records after which a checkpoint starts before the interval has passed (default: however many)")
	fs.DurationVar(&c.Checkpoints.MinPause, "min-pause", 0, "least time from the end of one checkpoint to the start of the next")
	fs.DurationVar(&c.Checkpoints.Timeout, "checkpoint-timeout", coordinator.DefaultTimeout, "time after which a checkpoint is aborted; the next gets twice the time, up to a week")
	fs.IntVar(&c.Checkpoints.MaxConcurrent, "max-concurrent", 1, "checkpoints in flight at once")
	fs.IntVar(&c.Checkpoints.TolerableFailures, "tolerable-failures", coordinator.DefaultTolerableFailures, "checkpoints that may fail in a row before the job restarts, timeouts aside; -1: any number")
	fs.Var(Parsed(&c.Checkpoints.Retention, strconv.Itoa(coordinator.DefaultRetain), coordinator.ParsePolicy), "retain", "of a new job: newest checkpoints to keep, or rules such as newest=3,daily=7; checkpoints retain changes it")
	fs.Var(Parsed(&c.Checkpoints.Restore, c.Checkpoints.Restore.String(), coordinator.ParseRestore), "restore", "checkpoint to start from: latest, none or an id")
	fs.Var(Parsed(&c.Checkpoints.Drop, "", func(s string) ([]checkpoint.Drop, error) {
		d, err := checkpoint.ParseDrop(s)
		return append(c.Checkpoints.Drop, d), err
	}), "drop-state", "state of the checkpoint that the job no longer has, as <operator> or <operator>/<state>; may be given again")
	fs.Var(Parsed(&f.stopWith, stopWithCheckpoint, parseStopWith), "stop-with", "what SIGTERM or SIGINT waits for: a last checkpoint, behind which nothing is read, or nothing")
	fs.DurationVar(&c.StopGrace, "stop-grace", 20*time.Second, "how long SIGTERM or SIGINT waits for the last checkpoint")
	fs.StringVar(&c.JobID, "job-id", "", "name of the job in the store (default: the job's name)")
	fs.Var(Parsed(&c.Engine.Mode, c.Engine.Mode.String(), parseMode), "mode", "exactly-once or at-least-once")
	fs.IntVar(&c.Engine.Parallelism, "parallelism", 0, "subtasks of an operator (default: one a processor)")
	fs.Float64Var(&c.Engine.RateLimit, "rate-limit", 0, "most events a second, all sources together (default: no limit)")
	c.Engine.Restart = engine.Exponential{}
	fs.Var(Parsed(&c.Engine.Restart, "exponential", parseRestart), "restart", "after a failure: exponential, none, or <attempts>x<delay>, such as 3x5s")
	fs.IntVar(&c.Engine.SameFailures, "same-failures", engine.DefaultSameFailures, "times that a job may fail in the same way with no checkpoint between; -1: any number")
	fs.StringVar(&c.StateDir, "state-dir", launch.DefaultStateDir, "directory for local state, for this process alone; it holds nothing that the store does not")
	c.Rocks.TableBytes, c.Rocks.MemoryBytes = rocks.DefaultTableBytes, rocks.DefaultMemoryBytes
	fs.Var((*Bytes)(&c.Rocks.TableBytes), "table-memory", "memory for state entries above RocksDB, all subtasks together")
	fs.Var((*Bytes)(&c.Rocks.MemoryBytes), "native-memory", "memory for RocksDB's block cache and write buffers, all subtasks together")
	fs.Var(Parsed(&c.Rocks.Disk, string(rocks.SSD), rocks.ParseDisk), "disk", "disk under the local state: ssd, hdd or network (a network volume)")
	fs.Var(Parsed(&c.Rocks.Override, "", parseOverride), "rocksdb-options", "RocksDB's own options, such as \"max_subcompactions=2;bytes_per_sync=1048576\"; they have the last word")
	bindHTTP(fs, &c.HTTP)
	fs.StringVar(&c.Profiles, "pprof", "", "directory for cpu.pprof, heap.pprof, mutex.pprof and block.pprof (default: no profiles)")
	fs.BoolVar(&f.JSON, "json", false, "end with one line of JSON on standard output")
	f.Log.Bind(fs)
}

// Build returns the Config that runs what build returns or, if build is nil, the built-in
// job that args name. Mistakes in flags and arguments are usage errors.
func (f *RunFlags) Build(build func() (*engine.Job, error), args []string) (c launch.Config, results *jobs.Results, err error) {
	c = f.Config
	if c.Checkpoints.TolerableFailures == 0 {
		return c, nil, Usage(errors.New("--tolerable-failures 0: use 1 or more, or -1 for any number"))
	}
	if f.stopWith == stopWithNothing {
		c.StopGrace = 0
	}
	if build != nil {
		if c.Job, err = build(); err != nil {
			return c, nil, Usage(err)
		}
	} else if c.Job, results, err = jobs.Build(args[0], f.Job); errors.Is(err, jobs.ErrOptions) {
		return c, nil, Usage(err)
	} else if err != nil {
		return c, nil, err
	}
	c.S3, c.Limits, c.Checkpoints.Writer = f.store.Options(), f.store.Limits, Version()
	if err := c.Validate(); err != nil {
		return c, nil, Usage(err)
	}
	return c, results, nil
}

// The values of --stop-with.
const (
	stopWithCheckpoint = "checkpoint"
	stopWithNothing    = "nothing"
)

func parseStopWith(s string) (string, error) {
	if s != stopWithCheckpoint && s != stopWithNothing {
		return "", fmt.Errorf("%q: use %s or %s", s, stopWithCheckpoint, stopWithNothing)
	}
	return s, nil
}

func parseMode(s string) (engine.Mode, error) {
	for _, m := range []engine.Mode{engine.ExactlyOnce, engine.AtLeastOnce} {
		if s == m.String() {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%q: use %v or %v", s, engine.ExactlyOnce, engine.AtLeastOnce)
}

func parseRestart(s string) (engine.RestartStrategy, error) {
	switch s {
	case "exponential":
		return engine.Exponential{}, nil
	case "none":
		return engine.NoRestart{}, nil
	}
	if n, d, ok := strings.Cut(s, "x"); ok {
		attempts, err := strconv.Atoi(n)
		delay, err2 := time.ParseDuration(d)
		if err == nil && err2 == nil {
			return engine.FixedDelay{Attempts: attempts, Delay: delay}, nil
		}
	}
	return nil, fmt.Errorf("%q: use exponential, none, or <attempts>x<delay>, such as 3x5s", s)
}

func parseOverride(s string) (string, error) {
	return s, rocks.Options{Override: s}.Validate()
}
