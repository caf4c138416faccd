package tidemarkcmd

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
)

// diffed is what diff --json prints.
type diffed struct {
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Kept     volume `json:"kept"`
	Added    volume `json:"added"`
	Removed  volume `json:"removed"`
	Uploaded int64  `json:"uploaded_bytes"` // by the checkpoints after from, up to to
	// AtLeast: one of those checkpoints is not retained, so uploaded_bytes and
	// write_amplification may be more.
	AtLeast       bool         `json:"at_least"`
	Amplification float64      `json:"write_amplification"` // uploaded for each byte added; 0: not known
	Parts         []diffedPart `json:"parts"`
	Files         []diffedFile `json:"files"` // added and removed
}

type volume struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

type diffedPart struct {
	Operator  string `json:"operator"`
	State     string `json:"state"`      // empty: of no state alone
	KeyGroups [2]int `json:"key_groups"` // of the subtask: the first, and the one after the last
	Kept      volume `json:"kept"`
	Added     volume `json:"added"`
	Removed   volume `json:"removed"`
}

type diffedFile struct {
	Change    string `json:"change"` // added, removed
	Operator  string `json:"operator"`
	Subtask   int    `json:"subtask"`
	State     string `json:"state"`
	File      string `json:"file"`
	Object    string `json:"object"`
	KeyGroups [2]int `json:"key_groups"` // that its keys lie in
	Bytes     int64  `json:"bytes"`
}

func diffCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "diff <store>/<job-id> <checkpoint> <checkpoint>",
		Short: "Say what changed from one checkpoint to another: files and bytes, by operator, state and key groups",
		Long: "Say which files the second checkpoint has that the first one lacks, and the other way round, by operator, state and the\n" +
			"key groups of the subtask; with --json each file, with the key groups of its keys. The write amplification is how many\n" +
			"bytes the checkpoints in between put for each byte that is new in the second one: above 1 compaction replaced files soon\n" +
			"after they had been put.",
		Args: cli.Args(cobra.ExactArgs(3)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := checkpointID(args[1])
			if err != nil {
				return err
			}
			b, err := checkpointID(args[2])
			if err != nil {
				return err
			}
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			d, err := coordinator.Diff(c.Context(), store, a, b)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			x := diffed{
				From: uint64(a), To: uint64(b), Kept: volume(d.Kept), Added: volume(d.Added), Removed: volume(d.Removed),
				Uploaded: d.Uploaded, AtLeast: d.AtLeast, Amplification: d.Amplification(), Parts: []diffedPart{}, Files: []diffedFile{},
			}
			for _, p := range d.Parts {
				x.Parts = append(x.Parts, diffedPart{string(p.Operator), p.State, [2]int{p.Groups.Start, p.Groups.End}, volume(p.Kept), volume(p.Added), volume(p.Removed)})
			}
			for _, f := range d.Files {
				x.Files = append(x.Files, diffedFile{changeOf(f), string(f.Operator), f.Subtask, f.State, f.Name, f.Object, [2]int{f.Groups.Start, f.Groups.End}, f.Bytes})
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), x)
			}
			return printDiffed(c.OutOrStdout(), x)
		},
	}
}

func changeOf(f incremental.DifferentFile) string {
	if f.Added {
		return "added"
	}
	return "removed"
}

func printDiffed(w io.Writer, x diffed) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "OPERATOR\tSTATE\tKEY GROUPS\tKEPT\t\tADDED\t\tREMOVED\t")
	row := func(operator, state, groups string, kept, added, removed volume) {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%d\t%s\n", operator, state, groups,
			kept.Files, cli.BytesText(kept.Bytes), added.Files, cli.BytesText(added.Bytes), removed.Files, cli.BytesText(removed.Bytes))
	}
	for _, p := range x.Parts {
		state := p.State
		if state == "" {
			state = "(none alone)"
		}
		row(p.Operator, state, fmt.Sprintf("%d-%d", p.KeyGroups[0], p.KeyGroups[1]-1), p.Kept, p.Added, p.Removed)
	}
	row("all", "", "", x.Kept, x.Added, x.Removed)
	if err := t.Flush(); err != nil {
		return err
	}
	if x.To <= x.From {
		return nil
	}
	least := ""
	if x.AtLeast {
		least = "at least "
	}
	_, err := fmt.Fprintf(w, "uploaded after checkpoint %d, up to %d: %s%s", x.From, x.To, least, cli.BytesText(x.Uploaded))
	if x.Amplification > 0 {
		_, err = fmt.Fprintf(w, "; write amplification %s%.2f", least, x.Amplification)
	}
	_, _ = fmt.Fprintln(w)
	return err
}
