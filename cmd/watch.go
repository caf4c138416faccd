package tidemarkcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
)

// watched is what happened, as watch --json prints it, a line each.
type watched struct {
	Time       time.Time `json:"time"`
	Event      string    `json:"event"` // committed, dropped
	Checkpoint uint64    `json:"checkpoint"`
	Epoch      uint64    `json:"epoch"`
	FullBytes  int64     `json:"full_bytes"`
	NewBytes   int64     `json:"new_bytes"`
	DurationMS float64   `json:"duration_ms"`
	KeptBy     []string  `json:"kept_by"`
}

func watchCommand(f *checkpointFlags) *cobra.Command {
	every := time.Second
	c := &cobra.Command{
		Use:   "watch <store>/<job-id>",
		Short: "Show the retained checkpoints as they come and go, until it is interrupted",
		Long: "Show the retained checkpoints, and again whenever head changes: a table on a terminal; elsewhere a line for each\n" +
			"checkpoint that was committed or dropped, with --json an object a line. It reads head, a GET each time.",
		Args: cli.Args(cobra.ExactArgs(1)),
	}
	c.Flags().DurationVar(&every, "every", every, "how often to read head")
	c.RunE = func(c *cobra.Command, args []string) error {
		if every <= 0 {
			return cli.Usage(fmt.Errorf("--every is %v: give more than 0", every))
		}
		store, err := f.open(c.Context(), args[0])
		if err != nil {
			return err
		}
		out := c.OutOrStdout()
		terminal := cli.Terminal(out) && !f.json
		var last []coordinator.CheckpointInfo
		for first := true; ; first = false {
			infos, err := coordinator.List(c.Context(), store)
			switch events := changes(last, infos, time.Now()); {
			case c.Context().Err() != nil:
				return nil //nolint:nilerr // it was interrupted, as it should be
			case err != nil:
				return noJob(c.Context(), store, err)
			case terminal && (first || len(events) > 0):
				_, _ = fmt.Fprint(out, "\x1b[H\x1b[2J") // from the top left, on an empty screen
				if err := printList(out, listAll(infos, past(c, store))); err != nil {
					return err
				}
			case !terminal:
				if err := printChanges(out, events, f.json); err != nil {
					return err
				}
			}
			last = infos
			select {
			case <-time.After(every):
			case <-c.Context().Done():
				return nil
			}
		}
	}
	return c
}

// changes says what happened between two readings of head: drops first, oldest first.
func changes(before, after []coordinator.CheckpointInfo, now time.Time) (events []watched) {
	add := func(event string, of, in []coordinator.CheckpointInfo) {
		for _, i := range of {
			if !slices.ContainsFunc(in, func(o coordinator.CheckpointInfo) bool { return o.Ref() == i.Ref() }) {
				at := i.Created
				if event == "dropped" {
					at, i.KeptBy = now, nil
				}
				events = append(events, watched{
					at, event, uint64(i.ID), uint64(i.Epoch), i.FullBytes, i.NewBytes, milliseconds(i.Duration), append([]string{}, i.KeptBy...),
				})
			}
		}
	}
	add("dropped", before, after)
	add("committed", after, before)
	return events
}

func printChanges(w io.Writer, events []watched, asJSON bool) error {
	for _, e := range events {
		var err error
		switch {
		case asJSON:
			err = json.NewEncoder(w).Encode(e)
		case e.Event == "dropped":
			_, err = fmt.Fprintf(w, "checkpoint %d was dropped\n", e.Checkpoint)
		default:
			_, err = fmt.Fprintf(w, "checkpoint %d of %s: %s, %s new, %.0f ms, kept by %s\n", e.Checkpoint, e.Time.Local().Format(time.DateTime),
				cli.BytesText(e.FullBytes), cli.BytesText(e.NewBytes), e.DurationMS, strings.Join(e.KeptBy, ", "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
