package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/bench/suite"
	"github.com/tidemark/tidemark/cmd/internal/cli"
)

func suiteCommand() *cobra.Command {
	var o suite.Options
	var file, only string
	var state cli.Bytes
	c := &cobra.Command{
		Use:   "suite",
		Short: "Run every experiment beside its comparator, interleaved, and write one report",
		Long: "Run every experiment: arms that run interleaved, round by round, in processes of their own where processor time counts.\n" +
			"The report has the median of the ratios within the rounds, with their spread, and says which bars were reached.\n" +
			"Nothing else should run on the machine meanwhile; the load is in the report.",
		Args: cli.Args(cobra.NoArgs),
	}
	fs := c.Flags()
	fs.StringVar(&file, "report", "", "write the report to this file, as Markdown (.md) and as JSON (.json) beside it (default: Markdown to standard output)")
	fs.BoolVar(&o.Quick, "quick", false, "small inputs and two rounds: shows that it works, within minutes")
	fs.BoolVar(&o.Long, "long", false, "a state of 10 GB among those whose pauses are measured, and three rounds of drift")
	fs.IntVar(&o.Pairs, "pairs", 0, fmt.Sprintf("rounds of each experiment (default %d, 2 with --quick)", suite.DefaultPairs))
	fs.StringVar(&only, "only", "", "regular expression: the experiments to run")
	fs.StringVar(&o.PeerFlink, "peer-flink", "", "program that runs Flink on the same events (default: its rows are left out)")
	fs.DurationVar(&o.FlinkTime, "flink-time", suite.DefaultFlinkTime, "most time for Flink over 20 million keys: it is not awaited")
	fs.StringVar(&o.Flights, "flights", "", "file of flights (Parquet, CSV or JSONL; default: the row is left out)")
	fs.StringVar(&o.FlightsExpected, "flights-expected", "", "directory with <file>.routes.csv and <file>.airports.csv to compare with")
	fs.Var(&state, "state", "size of the state of which one part in a hundred changes (default 1GB)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if only != "" {
			expression, err := regexp.Compile(only)
			if err != nil {
				return cli.Usage(fmt.Errorf("--only: %w", err))
			}
			o.Only = expression
		}
		o.StateBytes, o.Version, o.Log = int64(state), cli.Version(), c.ErrOrStderr()
		if err := o.Validate(); err != nil {
			return cli.Usage(err)
		}
		r, err := suite.Run(c.Context(), o)
		r.Command = strings.Join(append([]string{"tidemark bench suite"}, given(fs)...), " ")
		if file == "" {
			_, _ = fmt.Fprint(c.OutOrStdout(), r.Markdown())
			return err
		}
		if writeErr := report.Write(file, r); writeErr != nil {
			return writeErr
		}
		markdown, _ := report.Paths(file)
		_, _ = fmt.Fprintf(c.OutOrStdout(), "report: %s\n", markdown)
		return err
	}
	return c
}

// bareCommand is what the suite runs beside q0.
func bareCommand() *cobra.Command {
	var events int64
	c := &cobra.Command{
		Use: "bare", Short: "Read the seeded bids in a plain loop, without an engine (the comparator of q0)", Args: cli.Args(cobra.NoArgs),
	}
	c.Flags().Int64Var(&events, "events", 1_000_000, "seeded events")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r, err := suite.Bare(c.Context(), events)
		if err != nil {
			return err
		}
		return json.NewEncoder(c.OutOrStdout()).Encode(r)
	}
	return c
}
