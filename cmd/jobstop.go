package tidemarkcmd

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/cmd/internal/cli"
)

func jobStopCommand(f *jobFlags) *cobra.Command {
	var name string
	c := jobVerb(f, "stop", "End a job behind a last checkpoint, and pin that", always, func(ctx context.Context, c *api.Client, job string, w io.Writer) error {
		x, err := c.Stop(ctx, job, api.StopRequest{TriggerID: name})
		if err != nil {
			return err
		}
		if f.json {
			return cli.PrintJSON(w, x)
		}
		_, _ = fmt.Fprintf(w, "%s: stopped behind checkpoint %d, which is pinned: %s\n", job, x.ID, x.Location)
		return nil
	})
	c.Flags().StringVar(&name, "pin", "", "name of the pin; sent again with the same name, the request has no second effect (default: a random one)")
	return c
}

func jobCancelCommand(f *jobFlags) *cobra.Command {
	return jobVerb(f, "cancel", "End a job at once, without a checkpoint", always, func(ctx context.Context, c *api.Client, job string, w io.Writer) error {
		if err := c.Cancel(ctx, job); err != nil {
			return err
		}
		if f.json {
			return cli.PrintJSON(w, struct{}{})
		}
		_, _ = fmt.Fprintf(w, "%s: is being cancelled\n", job)
		return nil
	})
}
