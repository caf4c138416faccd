package observe

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidemark/tidemark/bench/profile"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
)

// topCosts is how many functions of each kind a report lists.
const topCosts = 25

// Options of Run.
type Options struct {
	// Version is what the report calls this program.
	Version string
	// Title of the report. Empty: "Benchmark of <job>".
	Title string
}

// Run runs the job of c. With an error, too, the report says how far the job came. The
// caller fills in its digest.
func Run(ctx context.Context, c launch.Config, o Options) (report.Run, error) {
	r := report.Run{
		Head:     report.Head{Title: o.Title, Made: time.Now(), Version: o.Version, Library: rocks.Linked().String(), Machine: report.Inspect()},
		Workload: c.Job.Name(),
	}
	if r.Title == "" {
		r.Title = "Benchmark of " + c.Job.Name()
	}
	w := NewWatch(&c)
	subtasks := c.KeyedSubtasks()
	var err error
	r.Result, err = launch.Run(ctx, c)
	if c.Profiles != "" && !errors.Is(err, launch.ErrProfiles) {
		r.Profiles = c.Profiles
		costs, costsErr := profile.Read(filepath.Join(c.Profiles, launch.CPUProfile), topCosts)
		r.Costs, err = &costs, errors.Join(err, costsErr)
	}
	if err != nil {
		r.Error = err.Error()
	}
	if r.Result.WallS > 0 {
		r.EventsPerS = float64(r.Result.Events) / r.Result.WallS
	}
	if r.Result.CPUS > 0 && r.Result.Events > 0 {
		r.EventsPerCPUS = float64(r.Result.Events) / r.Result.CPUS
		r.CPUMicros = 1e6 / r.EventsPerCPUS
		r.GCShare, r.AllocsPerEvent = r.Result.GCCPUS/r.Result.CPUS, float64(r.Result.Allocs)/float64(r.Result.Events)
	}
	r.Checkpoints, r.DataPuts = w.Checkpoints(), w.Data.Put.Ops.Load()
	if n := r.Result.Checkpoints.Completed * subtasks; n > 0 {
		r.DataPutsPerSubtask = float64(r.DataPuts) / float64(n)
	}
	if c.Interval > 0 {
		r.Store = w.All.Snapshot()
	}
	r.LoadAfter = report.Load()
	return r, err
}

// Watch gathers what happens between a job and its store.
type Watch struct {
	// All counts every request, Data those to put and get state.
	All, Data upload.Counters

	mu   sync.Mutex
	list []report.Checkpoint
	// puts are those of state.
	puts span
}

// NewWatch returns a Watch, and changes c so that its run reports to the Watch.
func NewWatch(c *launch.Config) *Watch {
	w := &Watch{}
	decorate, ended := c.Decorate, c.Checkpoints.Listener.Ended
	c.Decorate = func(s upload.Store) upload.Store {
		if decorate != nil {
			s = decorate(s)
		}
		return &watched{upload.Counting(s, &w.All), w}
	}
	c.Checkpoints.Listener.Ended = func(r coordinator.Report) {
		w.add(r)
		if ended != nil {
			ended(r)
		}
	}
	return w
}

func (w *Watch) add(r coordinator.Report) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	k := report.Checkpoint{
		ID: uint64(r.ID), State: string(r.Status), DurationMS: ms(r.Duration), SyncMS: ms(r.Sync), AlignMS: ms(r.Align), AsyncMS: ms(r.Async),
		FullBytes: r.FullBytes, NewBytes: r.NewBytes, ReusedBytes: r.ReusedBytes(), NewObjects: r.NewObjects, Files: r.Files, Reason: r.Reason,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, k)
}

// Checkpoints returns those that ended until now, in the order of their ends.
func (w *Watch) Checkpoints() []report.Checkpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]report.Checkpoint(nil), w.list...)
}

// PutSeconds is the time in which at least one object of state was being put.
func (w *Watch) PutSeconds() float64 { return w.puts.seconds() }
