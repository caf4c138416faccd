package launch

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
)

// Defaults of Config.
const (
	DefaultStore    = "file://data/checkpoints"
	DefaultStateDir = "data/state"
)

// Config says which job to run, and how. The zero value of a field means its
// default.
type Config struct {
	// Job is what to run. Required.
	Job *engine.Job
	// JobID names the job in the store: its objects lie under <store>/<job-id>/.
	// Default: the job's name.
	JobID string
	// Store is the URL of the checkpoint store. Default DefaultStore.
	Store string
	// S3 has the options of an s3:// store that its URL does not hold.
	S3 s3store.Options
	// Limits bound what goes to and comes from the store.
	Limits upload.Limits
	// Decorate, if set, wraps the job's part of the store, beneath the retries.
	Decorate func(upload.Store) upload.Store
	// Retry bounds the tries of a request to the store.
	Retry upload.RetryOptions
	// Interval is the time between checkpoints. Zero: checkpoints are off.
	Interval time.Duration
	// StopGrace is how long a run may go on after its context has ended, to take a last
	// checkpoint: the next run then reads nothing again. Zero: it ends at once, and the
	// next run reads again what came after the newest checkpoint.
	StopGrace time.Duration
	// Checkpoints has the other options of checkpoints: Timeout, Retention, Restore,
	// Listener and so on. Run fills in Store, Job, Graph, Interval, Logger, Backend,
	// Leader and Resume.
	Checkpoints coordinator.Options
	// Plan trades uploading little against storing little.
	Plan incremental.PlanOptions
	// StateDir is the directory for local state. A job uses a directory of its own in
	// it, named by its id. That one belongs to one process at a time, and is emptied
	// when the job starts. Default DefaultStateDir.
	StateDir string
	// Rocks bounds the memory of local state, and says what disk it is on.
	Rocks rocks.Options
	// Engine says how records are processed. Run fills in Identity, Coordinator,
	// Backends, Logger and Metrics.
	Engine engine.Config
	// HTTP says where and to whom the job's API is served. Zero: to nobody.
	HTTP api.Options
	// Serving, if set, is called with the URL of the API once it is served.
	Serving func(url string)
	// Logger gets what happens to the job and its checkpoints. Default
	// slog.Default().
	Logger *slog.Logger
	// Starting, if set, is called before each attempt, with what it starts from.
	Starting func(Start)
	// Progress, if set, is called about every ProgressEvery from one goroutine.
	Progress      func(Progress)
	ProgressEvery time.Duration // default 200 ms
	// Profiles is a directory for profiles of the run, which is made if need be.
	// Goroutines then have the labels of engine.Config.ProfileLabels. Empty: no
	// profiles are taken.
	Profiles string
}

var jobID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,127}$`)

// Validate returns an error that names every field with an invalid value.
func (c Config) Validate() error {
	var errs []error
	if c.Job == nil {
		return errors.New("config: no job")
	}
	if !jobID.MatchString(c.jobID()) {
		errs = append(errs, fmt.Errorf("job id %q: use 1 to 128 of a-z, 0-9, '_' and '-', a letter or digit first", c.jobID()))
	}
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("checkpoint interval %v: it cannot be negative; 0 turns checkpoints off", c.Interval))
	}
	if c.StopGrace < 0 {
		errs = append(errs, fmt.Errorf("grace period for a stop %v: it cannot be negative; 0 takes no last checkpoint", c.StopGrace))
	}
	return errors.Join(append(errs, c.validatePlaces(), c.Retry.Validate(), c.Limits.Validate(), c.Rocks.Validate(), c.HTTP.Validate(), c.Engine.Validate(), c.Job.Validate())...)
}

func (c Config) jobID() string {
	if c.JobID != "" {
		return c.JobID
	}
	if c.Job != nil {
		return c.Job.Name()
	}
	return ""
}

// graph is the job's graph as it will run.
func (c Config) graph() checkpoint.Graph {
	return c.Job.Graph(c.Engine.WithDefaults(c.Job).Parallelism)
}

// KeyedSubtasks is the number of subtasks with keyed state.
func (c Config) KeyedSubtasks() int {
	n := 0
	for _, o := range c.graph().Operators {
		if o.Key != "" {
			n += o.Parallelism
		}
	}
	return n
}

func (c Config) withDefaults() Config {
	c.JobID = c.jobID()
	if c.Store == "" {
		c.Store = DefaultStore
	}
	if c.StateDir == "" {
		c.StateDir = DefaultStateDir
	}
	c.StateDir = filepath.Join(c.StateDir, c.JobID)
	c.Engine.ProfileLabels = c.Engine.ProfileLabels || c.Profiles != ""
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.ProgressEvery == 0 {
		c.ProgressEvery = 200 * time.Millisecond
	}
	return c
}
