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
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// shown is a checkpoint as show --json prints it.
type shown struct {
	Manifest *incremental.Manifest `json:"manifest"` // null: it is not retained
	KeptBy   []string              `json:"kept_by"`
	// Shared tells for each object which other retained checkpoints reach it.
	Shared map[string][]checkpoint.ID `json:"shared"`
	// History has its trigger and its subtasks; null: it is too old.
	History *history.Checkpoint `json:"history"`
}

func showCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show <store>/<job-id> [<checkpoint>]", Short: "Explain one checkpoint, also one that failed or is gone; the newest retained if none is named",
		Args: cli.Args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			infos, err := coordinator.List(c.Context(), store)
			if err != nil {
				return noJob(c.Context(), store, err)
			}
			known := past(c, store)
			info, err := chosen(infos, args)
			if err != nil {
				id, bad := checkpointID(args[len(args)-1])
				if gone := newestOf(known, id); bad == nil && gone != nil {
					if f.json {
						return cli.PrintJSON(c.OutOrStdout(), shown{KeptBy: []string{}, History: gone})
					}
					return explainPast(c.OutOrStdout(), known.Job, *gone)
				}
				return err
			}
			m, shared, err := coordinator.Inspect(c.Context(), store, info, infos)
			if err != nil {
				return err
			}
			s := shown{m, info.KeptBy, shared, nil}
			if h, ok := known.Find(info.Ref()); ok {
				s.History = &h
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), s)
			}
			return explainManifest(c.OutOrStdout(), s)
		},
	}
}

func explainManifest(w io.Writer, s shown) error {
	m := s.Manifest
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("job %s, checkpoint %v (%v), epoch %v, base %v\n", m.Job, m.Checkpoint, m.Kind, m.Epoch, m.Base)
	p("triggered %s, complete %s after %d ms, by %s\n", m.Triggered.Local().Format(time.DateTime), m.Created.Local().Format(time.DateTime),
		m.Created.Sub(m.Triggered).Milliseconds(), m.Writer)
	p("kept by %s\n", strings.Join(s.KeptBy, ", "))
	p("state %s in %d files, %d of them shared with earlier checkpoints; new %s in %d objects\n", cli.BytesText(m.Stats.FullBytes), m.Stats.Files,
		m.Stats.SharedFiles, cli.BytesText(m.Stats.NewBytes), m.Stats.NewObjects)
	p("job graph %s, max parallelism %d\n", m.Graph.Fingerprint(), m.Graph.MaxParallelism)
	if s.History != nil {
		p("triggered by %s\n", s.History.Trigger)
		if err := explainParts(w, *s.History); err != nil {
			return err
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sub := range m.Subtasks {
		_, _ = fmt.Fprintf(t, "\n%s/%d\tsync %.1f ms\tasync %d ms\talign %d ms\n", sub.Operator, sub.Index, milliseconds(sub.Timings.Sync),
			sub.Timings.Async.Milliseconds(), sub.Timings.Align.Milliseconds())
		for _, o := range sub.State {
			n := 0
			for _, item := range o.Items {
				n += len(item)
			}
			_, _ = fmt.Fprintf(t, "  operator state %s\t%d items\t%s\n", o.Name, len(o.Items), cli.BytesText(int64(n)))
		}
		if sub.Keyed == nil {
			continue
		}
		_, _ = fmt.Fprintf(t, "  key groups %v\t%s\n", sub.Keyed.Range, cli.BytesText(sub.Keyed.FullBytes()))
		for _, d := range sub.Keyed.States {
			_, _ = fmt.Fprintf(t, "  state %s\tkey %s\tvalue %s\n", d.Name, d.Key, d.Value)
		}
		for _, file := range sub.Keyed.Files {
			with := "this checkpoint alone"
			if ids := s.Shared[file.Ref.Object]; len(ids) > 0 {
				with = "shared with " + strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
			}
			_, _ = fmt.Fprintf(t, "  file %s\t%s\t%s at %d\t%s\n", file.Name, cli.BytesText(file.Ref.Length), file.Ref.Object, file.Ref.Offset, with)
		}
	}
	return t.Flush()
}
