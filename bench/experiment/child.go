package experiment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/launch"
)

// The figures of a run.
const (
	EventsPerCPUS = "events per CPU-s"
	EventsPerS    = "events per s"
	CPUMicros     = report.CPUMicros
	SyncP50       = "sync pause p50 ms"
	SyncP99       = "sync pause p99 ms"
	SyncMax       = "sync pause max ms"
	DurationP99   = "checkpoint p99 ms"
	Completed     = "checkpoints"
	NewBytes      = "new bytes"
	RSSBytes      = report.RSSBytes
	GCShare       = report.GCShare
	AllocsPer     = report.AllocsPer
)

// Child runs this program as processes of their own. The zero value runs the
// program of this process.
type Child struct {
	// Program and its first arguments. Empty: this process's.
	Program []string
	// Env is added to this process's environment.
	Env []string
	// Dir holds what a run writes, removed after it. Empty: the system's
	// temporary directory.
	Dir string
}

// stopGrace is how long a run may take to end after its context has ended.
const stopGrace = 10 * time.Second

// Command returns a command that is interrupted when ctx ends.
func Command(ctx context.Context, args []string) *exec.Cmd {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopGrace
	return c
}

// Execute runs a command to its end, and returns its output and processor seconds.
func Execute(ctx context.Context, args []string) (stdout []byte, cpuS float64, err error) {
	c := Command(ctx, args)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	if c.ProcessState != nil {
		cpuS = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	if err != nil {
		return out.Bytes(), cpuS, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, LastLines(errs.Bytes()))
	}
	return out.Bytes(), cpuS, nil
}

// LastLines returns the end of what a program printed, for an error.
func LastLines(b []byte) string {
	const most = 600
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-most):])
}

// Execute runs the program with arguments to its end, as the function Execute
// does.
func (c Child) Execute(ctx context.Context, args ...string) (stdout []byte, cpuS float64, err error) {
	program := c.Program
	if len(program) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, 0, err
		}
		program = []string{self}
	}
	return Execute(ctx, slices.Concat([]string{"env"}, c.Env, program, args))
}

// Run runs a job with state and checkpoints in a directory of its own, and
// returns what it measured. Processor time is that of the whole process.
func (c Child) Run(ctx context.Context, args ...string) (Sample, error) {
	r, cpuS, err := c.Report(ctx, 0, args)
	if err != nil {
		return Sample{}, err
	}
	return SampleOf(r, cpuS), nil
}

// Report runs a job and returns its report and the processor seconds of its
// process. If most is not zero, the job is interrupted after that time.
func (c Child) Report(ctx context.Context, most time.Duration, args []string) (r launch.Report, cpuS float64, err error) {
	dir, err := os.MkdirTemp(c.Dir, "tidemark-bench-")
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The arguments come last, so that they may name another store.
	line := slices.Concat([]string{"run", "--json", "--log-level=error", "--state-dir=" + filepath.Join(dir, "state"), "--checkpoint-store=file://" + filepath.Join(dir, "checkpoints")}, args)
	limited := ctx
	if most > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	out, cpuS, err := c.Execute(limited, line...)
	if err != nil && (limited.Err() == nil || ctx.Err() != nil) {
		return r, cpuS, err
	}
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		return r, cpuS, errors.Join(err, fmt.Errorf("%s: its result: %w", strings.Join(line, " "), jsonErr))
	}
	if n := len(r.Series); r.Events == 0 && n > 0 {
		r.Events = r.Series[n-1].Events // it was interrupted
	}
	if r.Events == 0 || r.WallS == 0 || cpuS == 0 {
		return r, cpuS, errors.Join(ErrNothing, fmt.Errorf("%s", strings.Join(line, " ")))
	}
	return r, cpuS, nil
}

// SampleOf returns the figures of a run whose process took cpuS.
func SampleOf(r launch.Report, cpuS float64) Sample {
	k, events := r.Checkpoints, float64(r.Events)
	s := Sample{Digest: r.Digest, Values: map[string]float64{
		EventsPerCPUS: events / cpuS, EventsPerS: events / r.WallS, CPUMicros: cpuS * 1e6 / events, RSSBytes: float64(r.MaxRSSBytes),
		GCShare: r.GCCPUS / cpuS, AllocsPer: float64(r.Allocs) / events, Completed: float64(k.Completed), NewBytes: float64(k.NewBytes),
	}}
	if k.Completed > 0 {
		s.Values[SyncP50], s.Values[SyncP99], s.Values[SyncMax] = k.SyncMS.P50, k.SyncMS.P99, k.SyncMS.Max
		s.Values[DurationP99] = k.DurationMS.P99
	}
	if k.Failed > 0 || r.Attempts > 1 {
		s.Note = fmt.Sprintf("%d checkpoints failed, %d attempts", k.Failed, r.Attempts)
	}
	return s
}

// ErrNothing: a run processed no events, so there is nothing to measure.
var ErrNothing = errors.New("it processed nothing")

// Arm returns an arm that runs a job as a child.
func (c Child) Arm(name string, args ...string) Arm {
	return Arm{Name: name, Command: "tidemark run " + strings.Join(args, " "), Run: func(ctx context.Context) (Sample, error) { return c.Run(ctx, args...) }}
}

// BesideOff runs a job with the given arguments of run, and the same with
// checkpoints off, in interleaved pairs of processes. log gets a line for each.
func BesideOff(ctx context.Context, job, args []string, pairs int, log io.Writer) ([]report.Row, error) {
	on := slices.Concat(job, args)
	off := slices.Concat(on, []string{"--interval=0"})
	var c Child
	e := Experiment{
		Name: "pairs", Arms: []Arm{c.Arm("this", on...), c.Arm("off", off...)},
		Compare: []Comparison{{Value: EventsPerCPUS, Arm: "this", Against: "off"}, {Value: EventsPerS, Arm: "this", Against: "off"}},
	}
	r, err := e.Run(ctx, pairs, log)
	return r.Rows, err
}
