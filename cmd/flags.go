package tidemarkcmd

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload/s3store"
)

// storeFlags say how to reach an s3:// store beyond what its URL and the
// standard AWS environment and profiles say.
type storeFlags struct {
	endpoint, region string
	pathStyle        bool
}

func (f *storeFlags) bind(fs *pflag.FlagSet) {
	fs.StringVar(&f.endpoint, "s3-endpoint", "", "URL of an S3 service other than AWS")
	fs.BoolVar(&f.pathStyle, "s3-path-style", true, "with --s3-endpoint: address buckets by path, not by host name")
	fs.StringVar(&f.region, "s3-region", "", "region of the bucket (default: AWS_REGION or the profile's)")
}

func (f *storeFlags) options() s3store.Options {
	return s3store.Options{Endpoint: f.endpoint, Region: f.region, VirtualHosted: !f.pathStyle}
}

// runFlags are the flags of run.
type runFlags struct {
	store storeFlags

	input, output, emit, onMalformed string
	events, rate, keys, minFlights   int64
	seed                             uint64
	digest                           bool
	valueSize                        byteSize
	updates, zipf                    float64

	url, jobID, mode, restore, stateDir, restart string
	interval, minPause, timeout                  time.Duration
	parallelism, maxConcurrent, retain, tolerate int
	rateLimit                                    float64
	tableMemory, nativeMemory                    byteSize
	disk, rocksOptions                           string
	json                                         bool
	logLevel                                     slog.Level
}

func (f *runFlags) bind(fs *pflag.FlagSet, builtIn bool) {
	if builtIn {
		fs.StringVar(&f.input, "input", "", "file, directory or glob that the job reads")
		fs.StringVar(&f.output, "output", jobs.OutputNone, "directory that the rows go to; none discards them, - prints them")
		fs.StringVar(&f.emit, "emit", "final", "final: each key's last result once, at the end of the input; changes: every update")
		fs.StringVar(&f.onMalformed, "on-malformed", "refuse", "input that cannot be read: refuse (the job fails and says where) or skip (counted)")
		fs.Int64Var(&f.events, "events", 0, fmt.Sprintf("seeded events (default %d)", jobs.DefaultEvents))
		fs.Uint64Var(&f.seed, "seed", 0, fmt.Sprintf("seed of the events (default %d)", jobs.DefaultSeed))
		fs.Int64Var(&f.rate, "rate", 0, "events a second of event time (default 100000)")
		fs.Int64Var(&f.keys, "keys", 0, "keys of count, count-hot and update (default 2000000)")
		fs.Var(&f.valueSize, "value-size", fmt.Sprintf("size of a value of update (default %d)", jobs.DefaultValueBytes))
		fs.Float64Var(&f.updates, "updates-per-second", 0, "paces update by wall time once each key was written (default: no limit)")
		fs.Float64Var(&f.zipf, "zipf", 0, "exponent of the skew of the keys that update draws (default: each is as likely as another)")
		fs.Int64Var(&f.minFlights, "min-flights", 0, "departures that an airport needs to be ranked (default 1000 of a million flights, else 100)")
		fs.BoolVar(&f.digest, "digest", false, "compute a digest of the rows that does not depend on their order")
	}
	fs.StringVar(&f.url, "checkpoint-store", launch.DefaultStore, "file:///path or s3://bucket/prefix")
	f.store.bind(fs)
	fs.DurationVar(&f.interval, "interval", time.Second, "time between checkpoints; 0 turns them off")
	fs.DurationVar(&f.minPause, "min-pause", 0, "least time between two checkpoints")
	fs.DurationVar(&f.timeout, "checkpoint-timeout", coordinator.DefaultTimeout, "a checkpoint that takes longer is aborted")
	fs.IntVar(&f.maxConcurrent, "max-concurrent", 1, "checkpoints under way at once")
	fs.IntVar(&f.tolerate, "tolerable-failures", coordinator.DefaultTolerableFailures, "checkpoints that may fail in a row before the job restarts; -1: any number")
	fs.IntVar(&f.retain, "retain", coordinator.DefaultRetain, "checkpoints to keep")
	fs.StringVar(&f.restore, "restore", "latest", "checkpoint to start from: latest, none or an id")
	fs.StringVar(&f.jobID, "job-id", "", "name of the job in the store (default: the job's name)")
	fs.StringVar(&f.mode, "mode", "exactly-once", "exactly-once or at-least-once")
	fs.IntVar(&f.parallelism, "parallelism", 0, "subtasks of an operator (default: one a processor)")
	fs.Float64Var(&f.rateLimit, "rate-limit", 0, "events a second of wall time (default: no limit)")
	fs.StringVar(&f.restart, "restart", "exponential", "after a failure: exponential, none, or <attempts>x<delay>, such as 3x5s")
	fs.StringVar(&f.stateDir, "state-dir", launch.DefaultStateDir, "directory for local state; holds nothing that the store does not")
	f.tableMemory, f.nativeMemory = launch.DefaultTableBytes, launch.DefaultMemoryBytes
	fs.Var(&f.tableMemory, "table-memory", "memory for recent state entries, all subtasks together")
	fs.Var(&f.nativeMemory, "native-memory", "memory for RocksDB's blocks and write buffers, all subtasks together")
	fs.StringVar(&f.disk, "disk", string(rocks.SSD), "kind of the disk that holds local state: ssd, hdd or network (a volume behind a network)")
	fs.StringVar(&f.rocksOptions, "rocksdb-options", "", "RocksDB's own options, such as \"max_subcompactions=2;bytes_per_sync=1048576\"; they have the last word")
	fs.BoolVar(&f.json, "json", false, "end with one line of JSON on standard output")
	fs.TextVar(&f.logLevel, "log-level", slog.LevelWarn, "debug, info, warn or error")
}

// config returns everything but the job.
func (f *runFlags) config() (launch.Config, error) {
	restore, err := coordinator.ParseRestore(f.restore)
	if err != nil {
		return launch.Config{}, fmt.Errorf("--restore: %w", err)
	}
	mode := engine.ExactlyOnce
	switch f.mode {
	case engine.ExactlyOnce.String():
	case engine.AtLeastOnce.String():
		mode = engine.AtLeastOnce
	default:
		return launch.Config{}, fmt.Errorf("--mode %q: use %v or %v", f.mode, engine.ExactlyOnce, engine.AtLeastOnce)
	}
	restart, err := parseRestart(f.restart)
	if err != nil {
		return launch.Config{}, err
	}
	if f.parallelism < 0 {
		return launch.Config{}, fmt.Errorf("--parallelism %d: use 1 or more", f.parallelism)
	}
	if f.retain < 1 {
		return launch.Config{}, fmt.Errorf("--retain %d: at least one checkpoint is kept", f.retain)
	}
	disk, err := rocks.ParseDisk(f.disk)
	if err != nil {
		return launch.Config{}, fmt.Errorf("--disk: %w", err)
	}
	if err := (rocks.Options{Override: f.rocksOptions}).Validate(); err != nil {
		return launch.Config{}, fmt.Errorf("--rocksdb-options: %w", err)
	}
	tolerate := f.tolerate
	if tolerate == 0 {
		return launch.Config{}, errors.New("--tolerable-failures 0: use 1 or more, or -1 for any number")
	}
	return launch.Config{
		JobID: f.jobID, Store: f.url, S3: f.store.options(), Interval: f.interval, StateDir: f.stateDir,
		Checkpoints: coordinator.Options{
			MinPause: f.minPause, MaxConcurrent: f.maxConcurrent, Timeout: f.timeout, TolerableFailures: tolerate,
			Retain: f.retain, Restore: restore,
		},
		TableBytes: int64(f.tableMemory), Rocks: rocks.Options{MemoryBytes: int64(f.nativeMemory), Disk: disk, Override: f.rocksOptions},
		Engine: engine.Config{Parallelism: f.parallelism, Mode: mode, RateLimit: f.rateLimit, Restart: restart},
		Writer: versionText(),
	}, nil
}

// workload returns the options of a built-in job.
func (f *runFlags) workload() (jobs.Options, error) {
	emit, err := jobs.ParseEmit(f.emit)
	if err != nil {
		return jobs.Options{}, fmt.Errorf("--emit: %w", err)
	}
	var malformed source.OnMalformed
	switch f.onMalformed {
	case "refuse":
		malformed = source.Refuse
	case "skip":
		malformed = source.Skip
	default:
		return jobs.Options{}, fmt.Errorf("--on-malformed %q: use refuse or skip", f.onMalformed)
	}
	return jobs.Options{
		Input: f.input, Output: f.output, Events: f.events, Seed: f.seed, RatePerSecond: f.rate, Keys: f.keys,
		Emit: emit, Digest: f.digest, OnMalformed: malformed, MinFlights: f.minFlights,
		ValueBytes: int(f.valueSize), UpdatesPerSecond: f.updates, ZipfExponent: f.zipf,
	}, nil
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
	return nil, fmt.Errorf("--restart %q: use exponential, none, or <attempts>x<delay>, such as 3x5s", s)
}

// byteSize is a number of bytes on the command line: 512MiB, 1GiB, 1000000.
type byteSize int64

var byteUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

func (b *byteSize) String() string { return bytesText(int64(*b)) }
func (b *byteSize) Type() string   { return "bytes" }

func (b *byteSize) Set(s string) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n < 0 || n*float64(u.bytes) > 1<<50 {
			break
		}
		*b = byteSize(n * float64(u.bytes))
		return nil
	}
	return fmt.Errorf("%q is no size: write it as 512MiB or 1GB", s)
}

// bytesText renders a size for people.
func bytesText(n int64) string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; n >= u.bytes {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 1, 64), ".0") + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
