package tidemarkcmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload/storeurl"
)

func explainCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "explain <store>/<job-id> <object>",
		Short: "Say what an object is for: who needs it, since when, and when it goes",
		Long: "Say which retained checkpoints need an object, for which files of which operator, why they are kept, and so when\n" +
			"the object goes. Name it as a listing does, with or without the job's place: data/3f/1-5-count.0-1-…",
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(args[1], strings.TrimSuffix(args[0], "/")+"/")
			if dir, ok := storeurl.Dir(args[0]); ok {
				name = strings.TrimPrefix(name, absolute(dir)+"/")
			}
			e, err := coordinator.Explain(c.Context(), store, name)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			if e.Fate == coordinator.FateForeign && !e.Stored {
				return cli.Usage(fmt.Errorf("there is no object %s, and a job gives no such name: name it as data/3f/1-5-count.0-1-…", name))
			}
			x := api.NewExplained(name, e)
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), x)
			}
			return printExplained(c.OutOrStdout(), x)
		},
	}
}

func printExplained(w io.Writer, x api.Explained) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("%s: %s", x.Object, x.Fate)
	if x.Checkpoint > 0 {
		p(", written for checkpoint %d of epoch %d", x.Checkpoint, x.Epoch)
	}
	if x.Stored {
		p(", %s, put %s\n", cli.BytesText(x.Bytes), x.Put.Local().Format(time.DateTime))
	} else {
		p(", not stored\n")
	}
	p("%s\n", x.Why)
	for _, u := range x.Uses {
		p("\ncheckpoint %d of %s, kept by %s", u.Checkpoint, u.Created.Local().Format(time.DateTime), strings.Join(u.KeptBy, ", "))
		if len(u.Files) == 0 {
			p(": it is the manifest\n")
			continue
		}
		p(": %s of it\n", cli.BytesText(u.Bytes))
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range u.Files {
			of := "state " + f.State
			if f.State == "" {
				of = "no state alone"
			}
			_, _ = fmt.Fprintf(t, "  %s/%d\t%s\t%s\t%s\n", f.Operator, f.Subtask, f.File, of, cli.BytesText(f.Bytes))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
