package crash

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tidemark/tidemark/internal/nearest"
)

// Options of Run. The zero value of a field means its default.
type Options struct {
	// Program is the command line in front of "run <job> …". Required.
	Program []string
	// Env is added to this process's environment for the program.
	Env []string
	// Dir holds everything that is written: it must not exist, and is removed
	// when nothing was found broken. Default: a new temporary directory.
	Dir string
	// Store is the URL of the checkpoint store. Each job gets a new id in it, and
	// leaves its objects there. Empty: an S3 server on the loopback interface, with
	// its buckets in Dir.
	Store string
	// Kills is how many processes to kill, spread over the jobs. Default 50.
	Kills int
	// Seed of the moments. Default 1.
	Seed uint64
	// Jobs are names from Jobs(). Default: all.
	Jobs []string
	// Input is what flights reads: a JSON Lines file. Required where flights is
	// one of the jobs.
	Input string
	// Events is the number of generated events of the other jobs. Default 100,000.
	Events int64
	// RunFor is how long the input of a job lasts; the rate is limited for that.
	// Default 5 s.
	RunFor time.Duration
	// Parallelism of the jobs. Default 4.
	Parallelism int
	// Rescale starts each process after a kill with another parallelism, from 1
	// to twice Parallelism.
	Rescale bool
	// Pause stops about every other process (SIGSTOP) instead of killing it, and
	// lets it go on once its successor leads.
	Pause bool
	// Collect runs gc --apply beside the jobs all the time, and kills some of its
	// processes, too.
	Collect bool
	// TableBytes is the memory for state entries above RocksDB. With little of it
	// all state spills between checkpoints. Default: the program's.
	TableBytes int64
	// Interval between checkpoints. Default 200 ms.
	Interval time.Duration
	// Patience is how long one process may run before it counts as hung.
	// Default 2 min beyond RunFor.
	Patience time.Duration
	// Log gets a line for each thing that happened. Default: none.
	Log io.Writer
}

func (o Options) withDefaults() Options {
	def(&o.Kills, 50)
	def(&o.Seed, 1)
	def(&o.Events, 100_000)
	def(&o.RunFor, 5*time.Second)
	def(&o.Parallelism, 4)
	def(&o.Interval, 200*time.Millisecond)
	def(&o.Patience, o.RunFor+2*time.Minute)
	if len(o.Jobs) == 0 {
		o.Jobs = Jobs()
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("crash options: "+format, args...)) }
	if len(o.Program) == 0 {
		bad("no program to run")
	}
	for i, j := range o.Jobs {
		if !slices.Contains(Jobs(), j) {
			bad("no job %q: %s", j, nearest.Hint(j, Jobs()))
		}
		if slices.Contains(o.Jobs[:i], j) {
			bad("job %s is named twice", j)
		}
	}
	if slices.Contains(o.Jobs, flights) && o.Input == "" {
		bad("job %s needs an input: name a JSON Lines file of flights", flights)
	}
	if o.Kills < 0 || o.Events < 0 || o.Parallelism < 0 || o.Interval < 0 || o.TableBytes < 0 || o.RunFor < 0 || o.Patience < 0 {
		bad("numbers and durations must be positive")
	}
	return errors.Join(errs...)
}
