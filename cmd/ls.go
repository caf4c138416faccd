package tidemarkcmd

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
)

// listed is a checkpoint as ls --json prints it.
type listed struct {
	ID         uint64    `json:"id"`
	Epoch      uint64    `json:"epoch"`
	Base       uint64    `json:"base"`
	Kind       string    `json:"kind"`
	Created    time.Time `json:"created"`
	FullBytes  int64     `json:"full_bytes"`
	NewBytes   int64     `json:"new_bytes"`
	DurationMS float64   `json:"duration_ms"`
	KeptBy     []string  `json:"kept_by"`
	Manifest   string    `json:"manifest"`
}

func lsCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "ls <store>/<job-id>", Short: "List the retained checkpoints, oldest first", Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			infos, err := coordinator.List(c.Context(), store)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			list := make([]listed, 0, len(infos))
			for _, i := range infos {
				list = append(list, listed{
					uint64(i.ID), uint64(i.Epoch), uint64(i.Base), i.Kind.String(), i.Created, i.FullBytes, i.NewBytes,
					float64(i.Duration.Microseconds()) / 1000, i.KeptBy, i.Manifest,
				})
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), list)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "ID\tKIND\tCREATED\tFULL\tNEW\tREUSED\tDURATION\tKEPT BY")
			for _, l := range list {
				_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%.0f ms\t%s\n", l.ID, l.Kind, l.Created.Local().Format(time.DateTime),
					cli.BytesText(l.FullBytes), cli.BytesText(l.NewBytes), cli.BytesText(max(0, l.FullBytes-l.NewBytes)), l.DurationMS, strings.Join(l.KeptBy, ", "))
			}
			return t.Flush()
		},
	}
}
