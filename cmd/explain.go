package tidemarkcmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
)

// explained is what explain --json prints.
type explained struct {
	Object     string           `json:"object"`
	Fate       coordinator.Fate `json:"fate"` // kept, open, dead, foreign
	Why        string           `json:"why"`
	Stored     bool             `json:"stored"`
	Bytes      int64            `json:"bytes"`
	Put        time.Time        `json:"put,omitzero"`
	Checkpoint uint64           `json:"checkpoint"` // that it was written for; 0: none
	Epoch      uint64           `json:"epoch"`
	Uses       []use            `json:"uses"`
}

// use says what a retained checkpoint needs the object for.
type use struct {
	Checkpoint uint64    `json:"checkpoint"`
	Epoch      uint64    `json:"epoch"`
	Created    time.Time `json:"created"`
	KeptBy     []string  `json:"kept_by"`
	Bytes      int64     `json:"bytes"` // of the object
	Files      []fileUse `json:"files"`
}

type fileUse struct {
	Operator string `json:"operator"`
	Subtask  int    `json:"subtask"`
	File     string `json:"file"`
	State    string `json:"state"` // empty: of no state alone
	Bytes    int64  `json:"bytes"`
}

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
			e, err := coordinator.Explain(c.Context(), store, name)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			x := explained{
				Object: name, Fate: e.Fate, Why: why(e), Stored: e.Stored, Bytes: e.Bytes, Put: e.Put,
				Checkpoint: uint64(e.Writer.ID), Epoch: uint64(e.Writer.Epoch), Uses: []use{},
			}
			for _, u := range e.Uses {
				to := use{uint64(u.Checkpoint.ID), uint64(u.Checkpoint.Epoch), u.Created, u.KeptBy, u.Bytes(), []fileUse{}}
				for _, f := range u.Files {
					to.Files = append(to.Files, fileUse{string(f.Operator), f.Subtask, f.File, f.State, f.Bytes})
				}
				x.Uses = append(x.Uses, to)
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), x)
			}
			return printExplained(c.OutOrStdout(), x)
		},
	}
}

// why says in words what becomes of an object.
func why(e coordinator.Explanation) string {
	var by []string
	for _, u := range e.Uses {
		by = append(by, u.Checkpoint.ID.String())
	}
	switch {
	case len(by) > 0:
		return fmt.Sprintf("retained checkpoints need it: %s. It goes when retention has dropped the last of them", strings.Join(by, ", "))
	case e.History && e.Fate == coordinator.FateKept:
		return "it lists the checkpoints that ended, for people; the leader puts a newer one in its place"
	case e.History:
		return "a newer history has taken its place. The leader's sweep deletes it, or gc --apply"
	case e.Fate == coordinator.FateKept:
		return "it is no checkpoint's own: retention never deletes it"
	case e.Fate == coordinator.FateForeign:
		return "its name is not one that the job gives: nothing ever deletes it"
	case e.Fate == coordinator.FateDead:
		return fmt.Sprintf("no retained checkpoint needs it, and none ever can: it is of epoch %d, and epoch %d leads. The leader's sweep deletes it, or gc --apply",
			e.Writer.Epoch, e.Head)
	}
	return fmt.Sprintf("no retained checkpoint needs it. Checkpoint %d of epoch %d, which leads, may be under way; if it is not, the leader's sweep deletes it, each hour and when the job starts",
		e.Writer.ID, e.Writer.Epoch)
}

func printExplained(w io.Writer, x explained) error {
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
