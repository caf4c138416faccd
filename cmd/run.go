package tidemarkcmd

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/upload/storeurl"
)

func runCommand(p Program) (*cobra.Command, error) {
	var f cli.RunFlags
	var build func() (*engine.Job, error)
	c := &cobra.Command{
		Use:   "run <job>",
		Short: "Run a job, with incremental checkpoints",
		Long:  "Run a built-in job:\n\n" + jobList() + "\nThe same command resumes a job that was stopped or killed, from its newest checkpoint.",
		Args:  cli.Args(cobra.ExactArgs(1)),
	}
	if p == nil {
		f.BindBuiltIn(c.Flags())
	} else {
		c.Use, c.Args = "run", cli.Args(cobra.NoArgs)
		c.Long = "Run the job. If it was stopped or killed, it resumes from its newest checkpoint."
		var own flag.FlagSet
		build = p(&own)
		if err := f.BindOwn(c.Flags(), &own); err != nil {
			return nil, err
		}
	}
	c.RunE = func(c *cobra.Command, args []string) error { return runJob(c, build, args, &f) }
	return c, nil
}

func jobList() string {
	var b strings.Builder
	for _, j := range jobs.Jobs() {
		fmt.Fprintf(&b, "  %-10s %s\n", j.Name, j.Help)
	}
	return b.String()
}

// runJob runs what build returns; nil: the built-in job that args name.
func runJob(c *cobra.Command, build func() (*engine.Job, error), args []string, f *cli.RunFlags) error {
	config, results, err := f.Build(build, args)
	if err != nil {
		return err
	}
	stdout, stderr := c.OutOrStdout(), c.ErrOrStderr()
	out := stdout
	if f.JSON || f.Job.Output == jobs.OutputStdout {
		out = stderr // rows, or JSON, have standard output to themselves
	}
	line := newProgressLine(out, time.Second)
	config.Logger = f.Log.Logger(line.above(stderr), cli.Terminal(stderr))
	total := int64(0)     // events; zero: not known
	printAPI := func() {} // below the line that says what the job starts from
	config.Serving = func(url string) {
		printAPI = func() { _, _ = fmt.Fprintf(line.above(out), "API         %s\n", url) }
		if config.Interval == 0 {
			printAPI()
		}
	}
	config.Starting = func(s launch.Start) {
		printStart(line.above(out), config, s)
		if s.Attempt == 1 {
			printAPI()
		}
	}
	if results != nil {
		total = results.Records
	}
	if line.terminal { // else the log says what happens
		config.Progress = func(p launch.Progress) { line.show(p.Elapsed, progressText(p, total)) }
	}
	report, err := launch.Run(c.Context(), config)
	line.end()
	if results != nil && results.Digest != nil {
		digest, rows := results.Digest.Sum()
		report.Digest, report.Rows = fmt.Sprintf("%016x", digest), rows
	}
	if f.JSON {
		if encodeErr := json.NewEncoder(stdout).Encode(report); encodeErr != nil {
			err = errors.Join(err, encodeErr)
		}
	} else if err == nil {
		printReport(out, report, f, config)
	}
	if report.Stopped {
		_, _ = fmt.Fprintf(out, "%s: stopped; %s\n", report.Job, afterwards(config, report.Newest))
	}
	if errors.Is(err, errInterrupted) {
		err = fmt.Errorf("%w; %s", err, afterwards(config, report.Newest))
	}
	return err
}

func progressText(p launch.Progress, total int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1fs  %d events", p.Elapsed.Seconds(), p.Events)
	if total > 0 {
		fmt.Fprintf(&b, " (%d%%)", p.Events*100/total)
	}
	fmt.Fprintf(&b, "  %.0f/s", p.EventsPerS)
	if c := p.Last; c != nil {
		fmt.Fprintf(&b, "  state %s  checkpoint %v: %d ms, %s new, %s reused", cli.BytesText(c.FullBytes), c.ID, c.Duration.Milliseconds(), cli.BytesText(c.NewBytes), cli.BytesText(c.ReusedBytes()))
	}
	if p.Failed > 0 {
		fmt.Fprintf(&b, "  %d failed", p.Failed)
	}
	return b.String()
}

// afterwards says what the same command does after a run that was interrupted.
func afterwards(c launch.Config, newest uint64) string {
	switch {
	case c.Interval == 0:
		return "checkpoints are off, so the same command starts from the beginning"
	case newest == 0:
		return "no checkpoint was taken, so the same command starts from the beginning"
	case c.Checkpoints.Restore != coordinator.Restore{}:
		return fmt.Sprintf("the newest checkpoint is %d: --restore latest resumes from it", newest)
	}
	return fmt.Sprintf("the same command resumes from checkpoint %d", newest)
}

// printStart says where checkpoints lie and what an attempt goes on from.
func printStart(w io.Writer, c launch.Config, s launch.Start) {
	job := c.JobID
	if job == "" {
		job = c.Job.Name()
	}
	place := storePlace(c.Store) + "/" + job
	if s.Stopped != nil {
		_, _ = fmt.Fprintf(w, "%s: was stopped at checkpoint %d (%s), and goes on\n", job, s.Stopped.Checkpoint, s.Stopped.Reason)
	}
	switch {
	case s.Final:
		_, _ = fmt.Fprintf(w, "%s: finished: checkpoint %d was taken at the end of its input; input that is newer is not read (%s). To run it again: --restore none, or another --job-id, and another directory for its output\n", job, s.Checkpoint, place)
	case s.Checkpoint != 0:
		_, _ = fmt.Fprintf(w, "%s: resuming from checkpoint %d in %s\n", job, s.Checkpoint, place)
	case s.Attempt > 1:
		_, _ = fmt.Fprintf(w, "%s: starting again from nothing\n", job)
	default:
		_, _ = fmt.Fprintf(w, "%s: starting from nothing; checkpoints go to %s\n", job, place)
	}
}

// storePlace is the URL of a store, whatever the working directory.
func storePlace(url string) string {
	if dir, ok := storeurl.Dir(url); ok {
		return "file://" + absolute(dir)
	}
	return url
}

func printReport(w io.Writer, r launch.Report, f *cli.RunFlags, config launch.Config) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("%s: %d events, %d rows in %.1f s (%.1f CPU s)\n", r.Job, r.Events, r.Rows, r.WallS, r.CPUS)
	p("memory      %s, of at most %s for the budgets given\n", cli.BytesText(r.MaxRSSBytes), cli.BytesText(r.Memory.Total))
	if r.ResumedFrom != nil {
		p("resumed from checkpoint %d\n", *r.ResumedFrom)
	}
	if r.Malformed > 0 {
		p("%d malformed input records were skipped%s\n", r.Malformed, whither(f.Job.OnMalformed))
	}
	if r.Digest != "" {
		p("digest %s\n", r.Digest)
	}
	if f.Job.Output != "" && f.Job.Output != jobs.OutputNone && f.Job.Output != jobs.OutputStdout {
		p("output      %s\n", absolute(f.Job.Output))
	}
	if config.Interval > 0 {
		k := r.Checkpoints
		p("checkpoints %s/%s: %d completed, %d failed, %s new, %s reused, sync pause p99 %.1f ms\n",
			config.Store, r.Job, k.Completed, k.Failed, cli.BytesText(k.NewBytes), cli.BytesText(k.ReusedBytes), k.SyncMS.P99)
	}
}

// whither says where malformed records of a built-in job went.
func whither(o source.OnMalformed) string {
	if dir := o.Dir(); dir != "" {
		return ", and are kept in " + absolute(dir)
	}
	return ""
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
