package tidemarkcmd

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
)

// collected is what gc --json prints.
type collected struct {
	Applied  bool     `json:"applied"`
	Epoch    uint64   `json:"epoch"` // of the leader; only objects of earlier ones are orphans
	Stored   class    `json:"stored"`
	Orphans  class    `json:"orphans"`
	Unknown  class    `json:"unknown"`
	Uploads  []string `json:"uploads"`
	Requests requests `json:"requests"`
}

// class is a kind of objects, and what it costs to keep them.
type class struct {
	Objects      int      `json:"objects"`
	Bytes        int64    `json:"bytes"`
	DollarsMonth float64  `json:"dollars_month"`
	Names        []string `json:"names,omitempty"`
}

// requests are what gc asked the store for. Deletes are free at S3.
type requests struct {
	Gets    int64   `json:"gets"`
	Lists   int64   `json:"lists"` // pages of 1,000 objects, and one of uploads
	Deletes int64   `json:"deletes"`
	Dollars float64 `json:"dollars"`
}

func classOf(a coordinator.Amount, objects []upload.Info, prices *upload.Prices) class {
	c := class{a.Objects, a.Bytes, prices.Month(a.Bytes), nil}
	for _, o := range objects {
		c.Names = append(c.Names, o.Name)
	}
	return c
}

func gcCommand(f *checkpointFlags) *cobra.Command {
	var apply bool
	var perSecond int
	prices := upload.S3Prices
	c := &cobra.Command{
		Use:   "gc <store>/<job-id>",
		Short: "Plan to delete what no retained checkpoint reaches; with --apply, delete it",
		Long: "Find the objects that earlier leaders of the job left behind and no retained checkpoint reaches, and unfinished\n" +
			"uploads of theirs. They can never be needed again, so this may run beside the job. What the present leader\n" +
			"leaves is its own to delete. Without --apply nothing is changed. A gc that was cut short is resumed by another.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&apply, "apply", false, "delete what the plan names")
	c.Flags().IntVar(&perSecond, "deletes-per-second", coordinator.DefaultDeletesPerSecond, "most objects to delete a second")
	c.Flags().Var(&prices, "prices", "dollars, for what the plan says of costs: storage a GiB and month, put (and list) and get a thousand")
	c.RunE = func(c *cobra.Command, args []string) error {
		if perSecond < 1 {
			return cli.Usage(fmt.Errorf("--deletes-per-second is %d: give at least 1", perSecond))
		}
		store, err := f.openStore(c.Context(), args[0])
		if err != nil {
			return err
		}
		out, counters := c.OutOrStdout(), new(upload.Counters)
		o := coordinator.SweepOptions{DryRun: !apply, DeletesPerSecond: perSecond}
		if !f.json {
			o.Deleted = func(batch []upload.Info) {
				for _, i := range batch {
					_, _ = fmt.Fprintf(out, "deleted %s\n", i.Name)
				}
			}
		}
		s, err := coordinator.Sweep(c.Context(), upload.Counting(store, counters), o)
		err = noJob(c.Context(), store, err)
		if errors.Is(err, coordinator.ErrNoJob) { // nothing to collect is no mistake
			_, err = fmt.Fprintf(c.ErrOrStderr(), "there is nothing below %s\n", args[0])
			if !f.json {
				return err
			}
		}
		if err != nil {
			return err
		}
		r := collected{
			Applied: apply, Epoch: uint64(s.Epoch), Stored: classOf(s.Stored, nil, &prices), Orphans: classOf(coordinator.AmountOf(s.Orphans), s.Orphans, &prices),
			Unknown: classOf(coordinator.AmountOf(s.Unknown), s.Unknown, &prices), Uploads: append([]string{}, s.Uploads...),
			Requests: requests{Gets: counters.Get.Ops.Load(), Lists: max(1, int64(s.Stored.Objects+999)/1000) + 1, Deletes: counters.Delete.Ops.Load() + counters.Abort.Ops.Load()},
		}
		r.Requests.Dollars = prices.Requests(r.Requests.Lists, r.Requests.Gets)
		if f.json {
			return cli.PrintJSON(out, r)
		}
		printCollected(out, r)
		return nil
	}
	return c
}

func printCollected(w io.Writer, r collected) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\tOBJECTS\tBYTES\tDOLLARS A MONTH")
	for _, k := range []struct {
		name string
		of   class
	}{{"stored", r.Stored}, {"orphans", r.Orphans}, {"not the job's", r.Unknown}} {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%.4f\n", k.name, k.of.Objects, cli.BytesText(k.of.Bytes), k.of.DollarsMonth)
	}
	_ = t.Flush()
	p("unfinished uploads: %d\n", len(r.Uploads))
	p("this took %d GET, %d LIST and %d DELETE requests: %.4f dollars\n", r.Requests.Gets, r.Requests.Lists, r.Requests.Deletes, r.Requests.Dollars)
	switch {
	case r.Applied:
		p("deleted: %d objects, %s\n", r.Orphans.Objects, cli.BytesText(r.Orphans.Bytes))
		return
	case r.Orphans.Objects+len(r.Uploads) == 0:
		p("nothing to delete: what is stored is retained, or belongs to epoch %d, which leads\n", r.Epoch)
		return
	}
	for _, name := range r.Orphans.Names {
		p("  %s\n", name)
	}
	for _, name := range r.Uploads {
		p("  %s (unfinished upload)\n", name)
	}
	p("nothing was changed; to delete these: --apply\n")
}
