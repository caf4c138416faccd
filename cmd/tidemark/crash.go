package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/bench/crash"
	"github.com/tidemark/tidemark/cmd/internal/cli"
)

func crashCommand() *cobra.Command {
	o := crash.Options{}
	var json bool
	c := &cobra.Command{
		Use:   "crash",
		Short: "Kill jobs with SIGKILL at random moments, and compare their output with an undisturbed run's",
		Long: "Run each job undisturbed, and again in processes that are killed with SIGKILL at random moments and started anew until it completes.\n" +
			"The committed output must be the same, the store must hold exactly what is reachable, and every retained checkpoint must be whole.\n" +
			"The same seed aims at the same moments; where a process is when the signal reaches it is up to the machine.",
		Args: cli.Args(cobra.NoArgs),
	}
	fs := c.Flags()
	fs.IntVar(&o.Kills, "n", 50, "processes to kill, in all")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed of the moments")
	fs.StringSliceVar(&o.Jobs, "jobs", crash.Jobs(), "jobs to kill")
	fs.StringVar(&o.Store, "store", "", "URL of the checkpoint store (default: an S3 server, started for this)")
	fs.StringVar(&o.Input, "input", "testdata/flights/flights-20k.jsonl", "what flights reads: a file of JSON Lines")
	fs.Int64Var(&o.Events, "events", 100_000, "seeded events of the other jobs")
	fs.DurationVar(&o.RunFor, "run-for", 0, "how long the processing of the input is made to take (default 5s)")
	fs.IntVar(&o.Parallelism, "parallelism", 4, "subtasks of an operator")
	fs.BoolVar(&o.Rescale, "rescale", false, "start each process after a kill with another parallelism, up to twice as high")
	fs.BoolVar(&o.Pause, "pause", false, "stop every other process where it would be killed, and let it go on beside its successor")
	fs.BoolVar(&o.Collect, "gc", false, "run checkpoints gc --apply beside the jobs all the time, and kill some of its processes, too")
	fs.Var((*cli.Bytes)(&o.TableBytes), "table-memory", "memory for recent state entries of each process; little has all state spill (default: that of run)")
	fs.DurationVar(&o.Interval, "interval", 0, "time between checkpoints (default 200ms)")
	fs.StringVar(&o.Dir, "dir", "", "directory to work in, which must not exist (default: a temporary one)")
	fs.BoolVar(&json, "json", false, "end with JSON on standard output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		o.Program, o.Log = []string{program}, c.ErrOrStderr()
		if err := o.Validate(); err != nil {
			return cli.Usage(err)
		}
		report, err := crash.Run(c.Context(), o)
		if json {
			if jsonErr := cli.PrintJSON(c.OutOrStdout(), report); jsonErr != nil {
				return jsonErr
			}
		} else {
			report.Write(c.OutOrStdout())
		}
		if err != nil {
			return fmt.Errorf("bench crash: %w", err)
		}
		return nil
	}
	return c
}
