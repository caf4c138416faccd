package tidemarkcmd

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/bench/observe"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/bench/suite"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine"
)

// benchFlags are the flags of bench itself, beside those of run.
type benchFlags struct {
	run      runFlags
	profiles string
	report   string
	pairs    int
}

func benchCommand(job *engine.Job) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench <job>",
		Short: "Measure workloads, and kill them to see what they lose",
		Long: "Run a job in this process, with CPU, heap, mutex and block profiles, and report what it did and cost.\n" +
			"State and checkpoints lie in a temporary directory, unless flags say otherwise.\n" +
			"The jobs and the flags are those of run.",
		Args: usageArgs(cobra.ExactArgs(1)),
	}
	if job != nil {
		c.Use, c.Args = "bench", usageArgs(cobra.NoArgs)
	}
	f.run.bind(c.Flags(), job == nil)
	fs := c.Flags()
	fs.StringVar(&f.profiles, "pprof", "", "directory for the profiles (default: none are taken)")
	fs.StringVar(&f.report, "report", "", "write the report to this file, as Markdown (.md) and as JSON (.json) beside it (default: Markdown to standard output)")
	fs.IntVar(&f.pairs, "pairs", 0, "then compare with checkpoints off, in that many interleaved pairs of processes")
	c.RunE = func(c *cobra.Command, args []string) error { return benchJob(c, job, args, &f) }
	c.AddCommand(benchSuiteCommand(), benchBareCommand(), benchCrashCommand())
	return c
}

func benchJob(c *cobra.Command, job *engine.Job, args []string, f *benchFlags) error {
	if f.pairs < 0 {
		return usageError{fmt.Errorf("--pairs %d: use 0 or more", f.pairs)}
	}
	scratch, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	given := givenFlags(c.Flags())
	if !c.Flags().Changed("state-dir") {
		f.run.stateDir = scratch + "/state"
	}
	if !c.Flags().Changed("checkpoint-store") {
		f.run.url = "file://" + scratch + "/checkpoints"
	}
	config, err := f.run.config()
	if err != nil {
		return usageError{err}
	}
	var results *jobs.Results
	var options jobs.Options
	if job == nil {
		if options, err = f.run.workload(); err != nil {
			return usageError{err}
		}
		if job, results, err = jobs.Build(args[0], options); err != nil {
			if errors.Is(err, jobs.ErrOptions) {
				return usageError{err}
			}
			return err
		}
	}
	config.Job = job
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	config.Logger = slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: f.run.logLevel}))
	r, err := observe.Run(c.Context(), config, observe.Options{Profiles: f.profiles, Version: versionText()})
	r.Options, r.Command = given, "tidemark bench "+strings.Join(append(args, given...), " ")
	r.Digest = digestCheck(job.Name(), options, results, &r)
	if err == nil && f.pairs > 0 {
		r.Pairs, err = suite.BesideOff(c.Context(), suite.Child{Log: c.ErrOrStderr()}, args, runOnly(c.Flags()), f.pairs)
	}
	if f.run.json {
		if jsonErr := printJSON(c.OutOrStdout(), r); jsonErr != nil {
			return jsonErr
		}
	}
	if f.report != "" {
		if writeErr := report.Write(f.report, r); writeErr != nil {
			return writeErr
		}
	} else if !f.run.json {
		_, _ = fmt.Fprint(c.OutOrStdout(), r.Markdown())
	}
	return explain(err)
}

// digestCheck says how the digest compares with the one known.
func digestCheck(name string, o jobs.Options, results *jobs.Results, r *report.Run) string {
	if results == nil || results.Digest == nil {
		return "not computed (--digest)"
	}
	digest, rows := results.Digest.Sum()
	r.Result.Digest, r.Result.Rows = fmt.Sprintf("%016x", digest), rows
	known, ok := jobs.KnownDigest(name, o)
	switch {
	case !ok:
		return r.Result.Digest + ", none is known for these options"
	case known == r.Result.Digest:
		return known + ", as known from elsewhere"
	}
	return fmt.Sprintf("%s, WRONG: %s is known from elsewhere", r.Result.Digest, known)
}

// givenFlags are the flags that were given, as they could be given again.
func givenFlags(fs *pflag.FlagSet) []string {
	var given []string
	fs.Visit(func(f *pflag.Flag) { given = append(given, "--"+f.Name+"="+f.Value.String()) })
	return given
}

// runOnly are the given flags that a run beside this one takes too.
func runOnly(fs *pflag.FlagSet) []string {
	own := map[string]bool{"pprof": true, "report": true, "pairs": true, "json": true, "state-dir": true, "checkpoint-store": true, "job-id": true, "output": true, "restore": true}
	var given []string
	fs.Visit(func(f *pflag.Flag) {
		if !own[f.Name] {
			given = append(given, "--"+f.Name+"="+f.Value.String())
		}
	})
	return given
}
