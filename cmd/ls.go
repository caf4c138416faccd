package tidemarkcmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
)

// listed is a checkpoint as ls --json prints it.
type listed struct {
	ID         uint64         `json:"id"`
	Epoch      uint64         `json:"epoch"`
	Base       uint64         `json:"base"`
	Kind       string         `json:"kind"`
	Status     history.Status `json:"status"`
	Cause      string         `json:"cause"`  // of a failure
	Reason     string         `json:"reason"` // for people
	Created    time.Time      `json:"created"`
	FullBytes  int64          `json:"full_bytes"`
	NewBytes   int64          `json:"new_bytes"`
	DurationMS float64        `json:"duration_ms"`
	KeptBy     []string       `json:"kept_by"`
	Manifest   string         `json:"manifest"` // of a retained one
}

func lsCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "ls <store>/<job-id>", Short: "List the retained checkpoints and the failed ones, oldest first", Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			infos, err := coordinator.List(c.Context(), store)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			all := listAll(infos, past(c, store))
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), all)
			}
			return printList(c.OutOrStdout(), all)
		},
	}
}

// listAll lists the retained checkpoints, and those that history knows to have failed. One
// that ended with its attempt is no failure.
// Head is right where they disagree.
func listAll(infos []coordinator.CheckpointInfo, past history.History) []listed {
	all := make([]listed, 0, len(infos))
	for _, i := range infos {
		all = append(all, listed{
			uint64(i.ID), uint64(i.Epoch), uint64(i.Base), i.Kind.String(), history.Completed, "", "", i.Created, i.FullBytes, i.NewBytes,
			milliseconds(i.Duration), i.KeptBy, i.Manifest,
		})
	}
	for _, p := range past.Checkpoints {
		retained := slices.ContainsFunc(infos, func(i coordinator.CheckpointInfo) bool { return i.Ref() == p.Ref() })
		if p.Counted && !retained {
			all = append(all, listed{
				uint64(p.ID), uint64(p.Epoch), uint64(p.Base), p.Kind.String(), p.Status, p.Cause, p.Reason, p.Ended(), 0, 0,
				milliseconds(p.Duration), []string{}, "",
			})
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.ID, b.ID)) })
	return all
}

func printList(w io.Writer, all []listed) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tKIND\tCREATED\tFULL\tNEW\tREUSED\tDURATION\tKEPT BY")
	for _, l := range all {
		sizes, why := "-\t-\t-", fmt.Sprintf("failed (%s): %s", l.Cause, l.Reason)
		if l.Status == history.Completed {
			sizes = fmt.Sprintf("%s\t%s\t%s", cli.BytesText(l.FullBytes), cli.BytesText(l.NewBytes), cli.BytesText(max(0, l.FullBytes-l.NewBytes)))
			why = strings.Join(l.KeptBy, ", ")
		}
		_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%.0f ms\t%s\n", l.ID, l.Kind, l.Created.Local().Format(time.DateTime), sizes, l.DurationMS, why)
	}
	return t.Flush()
}
