package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// copied is what copy --json prints.
type copied struct {
	From        string          `json:"from"`
	To          string          `json:"to"`
	Job         string          `json:"job"`
	Checkpoints []checkpoint.ID `json:"checkpoints"`
	Objects     moved           `json:"objects"`     // that the copy has, beside manifests and head
	There       moved           `json:"there"`       // of them, what an earlier try had copied
	ServerSide  moved           `json:"server_side"` // of them, what the store copied by itself
	Plans       int             `json:"plans"`       // more than 1: the job dropped checkpoints meanwhile
}

type moved struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func copyCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "copy <store>/<job-id> <store>/<job-id>",
		Short: "Copy a job's retained checkpoints to another place, under another name too",
		Long: "Copy the job's retained checkpoints to a place where there is no job. What checkpoints share is copied once; within\n" +
			"a bucket the server copies. Every object is verified. It may run beside the job. head is written last, so what was cut\n" +
			"short is no job: the same command goes on with it. The copy is a job of its own, named for its place: both may run, if\n" +
			"they write to different outputs. Claims of other jobs and the history of checkpoints stay behind.",
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			a, b := strings.TrimSuffix(args[0], "/"), strings.TrimSuffix(args[1], "/")
			if a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/") {
				return cli.Usage(fmt.Errorf("%s and %s lie in one another", a, b))
			}
			from, to, within, err := f.openBoth(c.Context(), a, b)
			if err != nil {
				return err
			}
			progress := newTransfer(c.ErrOrStderr())
			defer progress.line.end()
			done, err := coordinator.Copy(c.Context(), from, to, path.Base(b), coordinator.CopyOptions{
				Within:   within,
				Progress: func(p coordinator.CopyProgress) { progress.show("copy", p.Bytes, p.TotalBytes) },
			})
			if err != nil {
				return noJob(c.Context(), from, err)
			}
			x := copied{a, b, done.Job, append([]checkpoint.ID{}, done.Checkpoints...), moved(done.Objects), moved(done.There), moved(done.Within), done.Plans}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), x)
			}
			out := c.OutOrStdout()
			for _, id := range x.Checkpoints {
				_, _ = fmt.Fprintf(out, "checkpoint %d\n", id)
			}
			_, err = fmt.Fprintf(out, "job %s has %d objects, %s: %d were there, the server copied %d, and %d came through this machine\n", x.Job, x.Objects.Objects, cli.BytesText(x.Objects.Bytes),
				x.There.Objects, x.ServerSide.Objects, x.Objects.Objects-x.There.Objects-x.ServerSide.Objects)
			return err
		},
	}
}

// openBoth opens two stores. If they are in one bucket, within copies an object from the
// first to the second, at the server.
func (f *checkpointFlags) openBoth(ctx context.Context, a, b string) (from, to upload.Store, within func(context.Context, string) error, err error) {
	if bucket, pa, pb, ok := storeurl.Common(a, b); ok {
		root, err := f.openStore(ctx, bucket)
		if err != nil {
			return nil, nil, nil, err
		}
		return upload.Prefixed(root, pa), upload.Prefixed(root, pb), func(ctx context.Context, name string) error {
			return root.Copy(ctx, pa+"/"+name, pb+"/"+name)
		}, nil
	}
	from, errFrom := f.openStore(ctx, a)
	to, errTo := f.openWith(ctx, b, storeurl.Options{Create: true})
	return from, to, nil, errors.Join(errFrom, errTo)
}
