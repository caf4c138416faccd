package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/observe"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/cmd/jobs"
)

// benchFlags are the flags of bench itself, beside those of run.
type benchFlags struct {
	run    cli.RunFlags
	report string
	pairs  int
}

func benchCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench <job>",
		Short: "Measure jobs, and kill them to see what they lose",
		Long: "Run a built-in job in this process, and report what it did and cost.\n" +
			"State and checkpoints lie in a temporary directory, unless flags say otherwise.\n" +
			"The jobs and the flags are those of run.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	f.run.BindBuiltIn(c.Flags())
	fs := c.Flags()
	fs.StringVar(&f.report, "report", "", "write the report to this file, as Markdown (.md) and as JSON (.json) beside it (default: Markdown to standard output)")
	fs.IntVar(&f.pairs, "pairs", 0, "then compare with checkpoints off, in that many interleaved pairs of processes")
	c.RunE = func(c *cobra.Command, args []string) error { return benchJob(c, args, &f) }
	c.AddCommand(suiteCommand(), bareCommand(), crashCommand())
	return c
}

func benchJob(c *cobra.Command, args []string, f *benchFlags) error {
	if f.pairs < 0 {
		return cli.Usage(fmt.Errorf("--pairs %d: use 0 or more", f.pairs))
	}
	scratch, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if !c.Flags().Changed("state-dir") {
		f.run.Config.StateDir = scratch + "/state"
	}
	if !c.Flags().Changed("checkpoint-store") {
		f.run.Config.Store = "file://" + scratch + "/checkpoints"
	}
	config, results, err := f.run.Build(nil, args)
	if err != nil {
		return err
	}
	config.Logger = f.run.Log.Logger(c.ErrOrStderr(), true)
	r, err := observe.Run(c.Context(), config, observe.Options{Version: cli.Version()})
	r.Options = given(c.Flags())
	r.Command = "tidemark bench " + strings.Join(append(args, r.Options...), " ")
	r.Digest = digestCheck(config.Job.Name(), f.run.Job, results, &r)
	if err == nil && f.pairs > 0 {
		r.Pairs, err = experiment.BesideOff(c.Context(), args, given(c.Flags(), notRun...), f.pairs, c.ErrOrStderr())
	}
	if f.run.JSON {
		if jsonErr := cli.PrintJSON(c.OutOrStdout(), r); jsonErr != nil {
			return jsonErr
		}
	}
	if f.report != "" {
		if writeErr := report.Write(f.report, r); writeErr != nil {
			return writeErr
		}
	} else if !f.run.JSON {
		_, _ = fmt.Fprint(c.OutOrStdout(), r.Markdown())
	}
	return err
}

// digestCheck says how the digest compares with the one known.
func digestCheck(name string, o jobs.Options, results *jobs.Results, r *report.Run) string {
	if results.Digest == nil {
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
	return fmt.Sprintf("%s, WRONG: the known digest is %s", r.Result.Digest, known)
}

// notRun are the flags of bench that a run beside it does not take.
var notRun = []string{"pprof", "report", "pairs", "json", "state-dir", "checkpoint-store", "job-id", "output", "restore"}

// given returns the flags that were given, but for some, as one would type them.
func given(fs *pflag.FlagSet, but ...string) []string {
	var all []string
	fs.Visit(func(f *pflag.Flag) {
		if !slices.Contains(but, f.Name) {
			all = append(all, "--"+f.Name+"="+f.Value.String())
		}
	})
	return all
}
