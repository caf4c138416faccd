package tidemarkcmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// collected is what gc --json prints.
type collected struct {
	Applied  bool         `json:"applied"`
	Epoch    uint64       `json:"epoch"` // of the leader; only objects of earlier ones are orphans
	Stored   class        `json:"stored"`
	Orphans  class        `json:"orphans"`
	Unknown  class        `json:"unknown"`
	Uploads  []string     `json:"uploads"`
	Versions versionsLeft `json:"versions"`
	Requests requests     `json:"requests"` // that this took
	Sweep    requests     `json:"sweep"`    // that deleting takes, or took
}

// versionsLeft are versions of objects, in a bucket that keeps what is overwritten or
// deleted.
type versionsLeft struct {
	Unlisted string `json:"unlisted"` // why they were not looked for; empty: they were
	Old      class  `json:"old"`
	OldHeads class  `json:"old_heads"`
	Markers  class  `json:"delete_markers"`
	Heads    class  `json:"heads_kept"`  // the way back after head was lost
	Needed   class  `json:"needed_kept"` // of objects that retained checkpoints need
}

// class is a kind of objects, and what it costs to keep them.
type class struct {
	Objects      int      `json:"objects"`
	Bytes        int64    `json:"bytes"`
	DollarsMonth float64  `json:"dollars_month"`
	Names        []string `json:"names,omitempty"`
}

// requests are what the store is asked for. Deletes are free at S3.
type requests struct {
	Gets    int64   `json:"gets"`
	Lists   int64   `json:"lists"` // pages of 1,000 objects or versions, and one of uploads
	Deletes int64   `json:"deletes"`
	Dollars float64 `json:"dollars"`
}

func gcCommand(f *checkpointFlags) *cobra.Command {
	var apply, retire bool
	o := coordinator.SweepOptions{DeletesPerSecond: coordinator.DefaultDeletesPerSecond, HeadVersions: coordinator.DefaultHeadVersions}
	prices := upload.S3Prices
	c := &cobra.Command{
		Use:   "gc <store>/<job-id>",
		Short: "Plan to delete what no retained checkpoint reaches; with --apply, delete it",
		Long: "Find the objects that earlier leaders of the job left behind and no retained checkpoint reaches, and unfinished\n" +
			"uploads of theirs. They can never be needed again, so this may run beside the job. What the present leader\n" +
			"leaves is its own to delete. In a bucket with versions find those that nobody needs, and delete markers with nothing\n" +
			"below them, too. Without --apply nothing is changed. Each deletion is logged, with the reason: on standard output, or\n" +
			"with --json on standard error. A gc that was cut short is resumed by another.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&apply, "apply", false, "delete what the plan names")
	c.Flags().BoolVar(&retire, "retire", false, "the job was killed for good: with --apply take its lead away, so that what its last leader left goes, too. Refused where the job shows signs of life; asks for the job's name")
	c.Flags().IntVar(&o.DeletesPerSecond, "deletes-per-second", o.DeletesPerSecond, "most objects to delete a second")
	c.Flags().DurationVar(&o.HeadVersions, "head-versions", o.HeadVersions, "how long to keep versions of head after they were overwritten: they are the way back")
	c.Flags().Var(&prices, "prices", "dollars, for what the plan says of costs: storage a GiB and month, put (and list) and get a thousand")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.DeletesPerSecond < 1 || o.HeadVersions < time.Second {
			return cli.Usage(fmt.Errorf("--deletes-per-second is %d and --head-versions %v: give at least 1 and 1s", o.DeletesPerSecond, o.HeadVersions))
		}
		counters := new(upload.Counters)
		store, err := f.openStore(c.Context(), args[0])
		if errors.Is(err, coordinator.ErrNoJob) {
			return f.nothingBelow(c, args[0], apply, counters, &prices)
		}
		if err != nil {
			return err
		}
		counted := upload.Counting(store, counters)
		out := c.OutOrStdout()
		log := out
		if f.json {
			log = c.ErrOrStderr()
		}
		if retire && apply {
			if err := retireJob(c, counted, args[0]); err != nil && !errors.Is(err, coordinator.ErrNoHead) {
				return err
			}
		}
		o.AsIfRetired = retire
		o.DryRun, o.Deleted = !apply, func(all []coordinator.Deletion) { logDeletions(log, all) }
		s, err := coordinator.Sweep(c.Context(), counted, o)
		err = noJob(c.Context(), store, err)
		if errors.Is(err, coordinator.ErrNoJob) { // nothing to collect is no mistake
			return f.nothingBelow(c, args[0], apply, counters, &prices)
		}
		if err != nil {
			return err
		}
		r := collectedOf(s, apply, counters, &prices)
		if f.json {
			return cli.PrintJSON(out, r)
		}
		return printCollected(out, r)
	}
	return c
}

func (f *checkpointFlags) nothingBelow(c *cobra.Command, url string, apply bool, counters *upload.Counters, prices *upload.Prices) error {
	_, err := fmt.Fprintf(c.ErrOrStderr(), "there is nothing below %s\n", url)
	if f.json {
		err = cli.PrintJSON(c.OutOrStdout(), collectedOf(coordinator.Swept{}, apply, counters, prices))
	}
	return err
}

// besideJobs reports whether a URL is of a directory that would lie in one that exists.
func besideJobs(url string) bool {
	dir, ok := storeurl.Dir(url)
	if !ok {
		return false
	}
	_, err := os.Stat(filepath.Dir(filepath.Clean(dir)))
	return err == nil
}

func logDeletions(w io.Writer, all []coordinator.Deletion) {
	for _, d := range all {
		version := ""
		if d.Version != "" {
			version = " version " + d.Version
		}
		_, _ = fmt.Fprintf(w, "deleted %s%s: %s\n", d.Name, version, d.Why)
	}
}

func collectedOf(s coordinator.Swept, applied bool, counters *upload.Counters, prices *upload.Prices) collected {
	of := func(a coordinator.Amount, objects ...upload.Info) class {
		c := class{a.Objects, a.Bytes, prices.Month(a.Bytes), nil}
		for _, o := range objects {
			c.Names = append(c.Names, o.Name)
		}
		return c
	}
	v := s.Versions
	r := collected{
		Applied: applied, Epoch: uint64(s.Epoch), Stored: of(s.Stored), Orphans: of(coordinator.AmountOf(s.Orphans), s.Orphans...),
		Unknown: of(coordinator.AmountOf(s.Unknown), s.Unknown...), Uploads: append([]string{}, s.Uploads...),
		Versions: versionsLeft{Old: of(v.Old), OldHeads: of(v.OldHeads), Markers: of(v.Markers), Heads: of(v.Heads), Needed: of(v.Needed)},
	}
	if v.Unlisted != nil {
		r.Versions.Unlisted = v.Unlisted.Error()
	}
	r.Requests = requests{Gets: counters.Get.Ops.Load(), Lists: 1 + coordinator.ListPages(s.Stored.Objects) + coordinator.ListPages(v.Listed)}
	r.Requests.Dollars = prices.Requests(r.Requests.Lists, r.Requests.Gets)
	r.Sweep = requests{Lists: int64(len(s.Uploads)), Deletes: s.DeleteRequests()}
	r.Sweep.Dollars = prices.Requests(r.Sweep.Lists, 0)
	return r
}

func printCollected(w io.Writer, r collected) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\tOBJECTS\tBYTES\tDOLLARS A MONTH")
	for _, k := range []struct {
		name   string
		of     class
		always bool
	}{
		{"stored", r.Stored, true},
		{"orphans", r.Orphans, true},
		{"old versions", r.Versions.Old, false},
		{"old versions of head", r.Versions.OldHeads, false},
		{"delete markers", r.Versions.Markers, false},
		{"versions of head, kept", r.Versions.Heads, false},
		{"versions of what is needed, kept", r.Versions.Needed, false},
		{"not the job's", r.Unknown, true},
	} {
		if k.always || k.of.Objects > 0 {
			_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%.4f\n", k.name, k.of.Objects, cli.BytesText(k.of.Bytes), k.of.DollarsMonth)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p("unfinished uploads: %d\n", len(r.Uploads))
	if r.Versions.Unlisted != "" {
		p("versions were not looked for: %s\n", r.Versions.Unlisted)
	}
	p("this took %d GET and %d LIST requests: %.4f dollars\n", r.Requests.Gets, r.Requests.Lists, r.Requests.Dollars)
	versions := r.Versions.Old.Objects + r.Versions.OldHeads.Objects + r.Versions.Markers.Objects
	switch {
	case r.Orphans.Objects+len(r.Uploads)+versions == 0:
		p("nothing to delete: what is stored is retained, or may be of a checkpoint under way in epoch %d, the last. If the job was killed and will never start again: --retire\n", r.Epoch)
		return nil
	case r.Applied:
		p("deleted: %d objects, %s; %d versions; %d uploads; by %d DELETE requests\n", r.Orphans.Objects, cli.BytesText(r.Orphans.Bytes), versions, len(r.Uploads), r.Sweep.Deletes)
		return nil
	}
	for _, name := range r.Orphans.Names {
		p("  %s\n", name)
	}
	for _, name := range r.Uploads {
		p("  %s (unfinished upload)\n", name)
	}
	p("nothing was changed; to delete these by %d DELETE and %d LIST requests, %.4f dollars: --apply\n", r.Sweep.Deletes, r.Sweep.Lists, r.Sweep.Dollars)
	return nil
}
