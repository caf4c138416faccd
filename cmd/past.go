package tidemarkcmd

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// past reads the history of a job. It is no more than advice: if it cannot be read, a
// line says so, and the verb goes on without.
func past(c *cobra.Command, r upload.Reader) history.History {
	h, err := history.Read(c.Context(), r)
	if err != nil {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "the history of checkpoints is left out: %v\n", err)
	}
	return h
}

// newestOf returns the newest checkpoint of history that has the id.
func newestOf(h history.History, id checkpoint.ID) *history.Checkpoint {
	var found *history.Checkpoint
	for i, c := range h.Checkpoints {
		if c.ID == id {
			found = &h.Checkpoints[i]
		}
	}
	return found
}

// explainPast prints a checkpoint that is not retained.
func explainPast(w io.Writer, job string, c history.Checkpoint) error {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("job %s, checkpoint %v (%v), epoch %v, base %v: ", job, c.ID, c.Kind, c.Epoch, c.Base)
	if c.Status == history.Failed {
		p("failed (%s)\n%s\n", c.Cause, c.Reason)
	} else {
		p("completed, and is not retained any more\nstate %s in %d files, %d of them shared with earlier checkpoints; new %s in %d objects\n",
			cli.BytesText(c.FullBytes), c.Files, c.SharedFiles, cli.BytesText(c.NewBytes), c.NewObjects)
	}
	p("triggered %s by %s, ended %s after %d ms\n", c.Triggered.Local().Format(time.DateTime), c.Trigger, c.Ended().Local().Format(time.DateTime), c.Duration.Milliseconds())
	return explainParts(w, c)
}

// explainParts prints what each subtask did.
func explainParts(w io.Writer, c history.Checkpoint) error {
	_, _ = fmt.Fprintf(w, "%d of %d subtasks acknowledged", c.Acked, c.Subtasks)
	if slowest, ok := c.Slowest(); ok {
		_, _ = fmt.Fprintf(w, "; the slowest was %v", slowest.Subtask())
	}
	_, _ = fmt.Fprintln(w)
	if len(c.Parts) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "SUBTASK\tACKED AFTER\tSTART\tALIGN\tSYNC\tASYNC\tFULL\tNEW")
	for _, s := range c.Parts {
		_, _ = fmt.Fprintf(t, "%v\t%d ms\t%.1f ms\t%.1f ms\t%.1f ms\t%.1f ms\t%s\t%s\n", s.Subtask(), s.Acked.Sub(c.Triggered).Milliseconds(),
			milliseconds(s.Start), milliseconds(s.Align), milliseconds(s.Sync), milliseconds(s.Async), cli.BytesText(s.FullBytes), cli.BytesText(s.NewBytes))
	}
	return t.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
