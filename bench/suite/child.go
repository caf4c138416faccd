package suite

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
	// Dir holds what a run writes, removed after it. Empty: the system's
	// temporary directory.
	Dir string
	// Log gets what runs print to standard error. Nil: it is dropped, but told
	// in errors.
	Log io.Writer
}

// stopGrace is how long a run has to end by itself once its context ended.
const stopGrace = 10 * time.Second

// command returns a command whose end by ctx is an interrupt.
func command(ctx context.Context, args []string) *exec.Cmd {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopGrace
	return c
}

// execute runs a command to its end, and returns what it printed and its
// processor seconds.
func execute(ctx context.Context, log io.Writer, args []string, env ...string) (stdout []byte, cpuS float64, err error) {
	c := command(ctx, args)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if log != nil {
		c.Stderr = io.MultiWriter(&errs, log)
	}
	c.Env = append(os.Environ(), env...)
	err = c.Run()
	if c.ProcessState != nil {
		cpuS = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	if err != nil {
		return out.Bytes(), cpuS, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLines(errs.Bytes()))
	}
	return out.Bytes(), cpuS, nil
}

func lastLines(b []byte) string {
	const most = 600
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-most):])
}

// program returns the beginning of a command line of the program.
func (c Child) program(verb ...string) ([]string, error) {
	if len(c.Program) > 0 {
		return append(append([]string(nil), c.Program...), verb...), nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return append([]string{self}, verb...), nil
}

// Run runs a job with state and checkpoints in a directory of its own, and
// returns what it measured. Processor time is that of the whole process.
func (c Child) Run(ctx context.Context, args ...string) (Sample, error) {
	r, cpuS, err := c.run(ctx, 0, args)
	if err != nil {
		return Sample{}, err
	}
	return sampleOf(r, cpuS), nil
}

// run runs a job, and interrupts it after some time if that is not zero.
func (c Child) run(ctx context.Context, most time.Duration, args []string) (r launch.Report, cpuS float64, err error) {
	line, err := c.program("run")
	if err != nil {
		return r, 0, err
	}
	dir, err := os.MkdirTemp(c.Dir, "tidemark-bench-")
	if err != nil {
		return r, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	line = append(line, args...)
	line = append(line, "--json", "--log-level=error", "--state-dir="+filepath.Join(dir, "state"), "--checkpoint-store=file://"+filepath.Join(dir, "checkpoints"))
	limited := ctx
	if most > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	out, cpuS, err := execute(limited, nil, line)
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
		return r, cpuS, errors.Join(errNothing, fmt.Errorf("%s", strings.Join(line, " ")))
	}
	return r, cpuS, nil
}

// sampleOf returns the figures of a run whose process took cpuS.
func sampleOf(r launch.Report, cpuS float64) Sample {
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

// errNothing: a run that processed nothing measures nothing.
var errNothing = errors.New("it processed nothing")

// Arm returns an arm that runs a job as a child.
func (c Child) Arm(name string, args ...string) Arm {
	return Arm{Name: name, Command: "tidemark run " + strings.Join(args, " "), Run: func(ctx context.Context) (Sample, error) { return c.Run(ctx, args...) }}
}
