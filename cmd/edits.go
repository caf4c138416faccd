package tidemarkcmd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
)

func pinCommand(f *checkpointFlags) *cobra.Command {
	return holdCommand(f, "pin", "Keep a checkpoint, whatever the retention says, until it is unpinned", coordinator.AddPin)
}

func unpinCommand(f *checkpointFlags) *cobra.Command {
	return releaseCommand(f, "unpin", "Take a pin away; retention decides about the checkpoint at the next commit", coordinator.RemovePin)
}

func tagCommand(f *checkpointFlags) *cobra.Command {
	return holdCommand(f, "tag", "Name a checkpoint, and keep it until it is untagged", coordinator.AddTag)
}

func untagCommand(f *checkpointFlags) *cobra.Command {
	return releaseCommand(f, "untag", "Take a tag away; retention decides about the checkpoint at the next commit", coordinator.RemoveTag)
}

// holdCommand is a verb that keeps a checkpoint by a name.
func holdCommand(f *checkpointFlags, verb, short string, add func(coordinator.Pin) coordinator.Edit) *cobra.Command {
	var reason string
	var until time.Time
	c := &cobra.Command{Use: verb + " <store>/<job-id> <checkpoint> <name>", Short: short, Args: cli.Args(cobra.ExactArgs(3))}
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever finds it")
	c.Flags().Var(cli.Parsed(&until, "", parseTime), "until", "when it ends: a date such as 2026-03-31, a time (RFC 3339), or from now, such as 72h (default: never)")
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := checkpointID(args[1])
		if err != nil {
			return err
		}
		return f.edit(c, args[0], add(coordinator.Pin{Name: args[2], Checkpoint: id, Reason: reason, Until: until}))
	}
	return c
}

// releaseCommand is a verb that takes a name away from a checkpoint.
func releaseCommand(f *checkpointFlags, verb, short string, remove func(name string) coordinator.Edit) *cobra.Command {
	return &cobra.Command{
		Use: verb + " <store>/<job-id> <name>", Short: short, Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error { return f.edit(c, args[0], remove(args[1])) },
	}
}

func rmCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "rm <store>/<job-id> <checkpoint>", Short: "Drop a checkpoint that is not the newest, and that nobody pinned, tagged or claimed",
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := checkpointID(args[1])
			if err != nil {
				return err
			}
			return f.edit(c, args[0], coordinator.Remove(id))
		},
	}
}

func retainCommand(f *checkpointFlags) *cobra.Command {
	var apply bool
	var policy coordinator.RetentionPolicy
	c := &cobra.Command{
		Use:   "retain <store>/<job-id>",
		Short: "Plan which checkpoints a retention keeps; with --apply, make it the job's",
		Long: "Say which checkpoints the job's retention, or another one, keeps and why, and which it drops. With --apply that\n" +
			"is done, and the policy is the job's from then on; it may run beside the job.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&apply, "apply", false, "do it")
	c.Flags().Var(cli.Parsed(&policy, "", coordinator.ParsePolicy), "policy",
		"a number of newest checkpoints, or rules such as newest=3,within=24h,hourly=24,daily=7,weekly=4,monthly=12,on-finish=newest (default: the job's)")
	c.RunE = func(c *cobra.Command, args []string) error {
		change := coordinator.Edit(coordinator.ApplyPolicy)
		if policy != (coordinator.RetentionPolicy{}) {
			change = coordinator.SetPolicy(policy)
		}
		if apply {
			return f.edit(c, args[0], change)
		}
		store, err := f.open(c.Context(), args[0])
		if err != nil {
			return err
		}
		e, err := coordinator.PlanEdit(c.Context(), store, change)
		if err != nil {
			return noJob(c.Context(), store, err)
		}
		return f.printEdited(c, e, false)
	}
	return c
}

// edit changes the job's head, and prints what it became.
func (f *checkpointFlags) edit(c *cobra.Command, url string, change coordinator.Edit) error {
	store, err := f.openStore(c.Context(), url)
	if err != nil {
		return err
	}
	e, err := coordinator.EditHead(c.Context(), store, change)
	if err != nil {
		return noJob(c.Context(), store, err)
	}
	return f.printEdited(c, e, true)
}

// parseTime parses a date, a time, or a duration from now.
func parseTime(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(d).UTC(), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write it as 2026-03-31, 2026-03-31T12:00:00Z or 72h", s)
}

func (f *checkpointFlags) printEdited(c *cobra.Command, e coordinator.Edited, applied bool) error {
	x := api.NewEdited(e, applied)
	if f.json {
		return cli.PrintJSON(c.OutOrStdout(), x)
	}
	return printEdited(c.OutOrStdout(), x)
}

func printEdited(w io.Writer, x api.Edited) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	for _, k := range x.Retained {
		p("%d: kept by %s\n", k.ID, strings.Join(k.KeptBy, ", "))
	}
	for _, id := range x.Dropped {
		p("%d: dropped\n", id)
	}
	p("retention: %s\n", x.Policy)
	switch {
	case !x.Applied:
		p("nothing was changed; to do this: --apply\n")
	case len(x.Dropped) > 0:
		p("what only dropped checkpoints needed is deleted by the job, or by its next start; of a retired job by gc --apply\n")
	}
	return nil
}
