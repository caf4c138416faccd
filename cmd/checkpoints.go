package tidemarkcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// checkpointFlags are the flags that all verbs of checkpoints share.
type checkpointFlags struct {
	store cli.StoreFlags
	json  bool
}

// open opens the store of a URL for reading.
func (f *checkpointFlags) open(ctx context.Context, url string) (upload.Reader, error) {
	s, err := storeurl.Open(ctx, url, storeurl.Options{S3: f.store.Options()})
	if err != nil {
		return nil, cli.Explain(fmt.Errorf("checkpoint store %s: %w", url, err))
	}
	return s, nil
}

func checkpointsCommand() *cobra.Command {
	var f checkpointFlags
	c := &cobra.Command{Use: "checkpoints", Short: "List, explain and verify a job's checkpoints"}
	f.store.Bind(c.PersistentFlags())
	c.PersistentFlags().BoolVar(&f.json, "json", false, "print JSON")
	c.AddCommand(lsCommand(&f), showCommand(&f), verifyCommand(&f))
	return c
}

// listed is a checkpoint as ls --json prints it.
type listed struct {
	ID         uint64    `json:"id"`
	Epoch      uint64    `json:"epoch"`
	Base       uint64    `json:"base"`
	Kind       string    `json:"kind"`
	Created    time.Time `json:"created"`
	FullBytes  int64     `json:"full_bytes"`
	NewBytes   int64     `json:"new_bytes"`
	DurationMS float64   `json:"duration_ms"`
	KeptBy     []string  `json:"kept_by"`
	Manifest   string    `json:"manifest"`
}

func lsCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "ls <store>/<job-id>", Short: "List the retained checkpoints, oldest first", Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			infos, err := coordinator.List(c.Context(), store)
			if err != nil {
				return noJob(args[0], err)
			}
			list := make([]listed, 0, len(infos))
			for _, i := range infos {
				list = append(list, listed{
					uint64(i.ID), uint64(i.Epoch), uint64(i.Base), i.Kind.String(), i.Created, i.FullBytes, i.NewBytes,
					float64(i.Duration.Microseconds()) / 1000, i.KeptBy, i.Manifest,
				})
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), list)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "ID\tKIND\tCREATED\tFULL\tNEW\tREUSED\tDURATION\tKEPT BY")
			for _, l := range list {
				_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%.0f ms\t%s\n", l.ID, l.Kind, l.Created.Local().Format(time.DateTime),
					cli.BytesText(l.FullBytes), cli.BytesText(l.NewBytes), cli.BytesText(max(0, l.FullBytes-l.NewBytes)), l.DurationMS, strings.Join(l.KeptBy, ", "))
			}
			return t.Flush()
		},
	}
}

// shown is a checkpoint as show --json prints it.
type shown struct {
	Manifest *incremental.Manifest `json:"manifest"`
	KeptBy   []string              `json:"kept_by"`
	// Shared tells for each object which other retained checkpoints reach it.
	Shared map[string][]uint64 `json:"shared"`
}

func showCommand(f *checkpointFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show <store>/<job-id> [<checkpoint>]", Short: "Explain one checkpoint, the newest if none is named",
		Args: cli.Args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := f.open(c.Context(), args[0])
			if err != nil {
				return err
			}
			infos, err := coordinator.List(c.Context(), store)
			if err != nil {
				return noJob(args[0], err)
			}
			info, err := chosen(infos, args)
			if err != nil {
				return err
			}
			m, err := incremental.ReadManifest(c.Context(), store, info.ID, info.Epoch)
			if err != nil {
				return cli.Explain(err)
			}
			s := shown{Manifest: m, KeptBy: info.KeptBy, Shared: map[string][]uint64{}}
			for _, other := range infos {
				if other.ID == info.ID {
					continue
				}
				om, err := incremental.ReadManifest(c.Context(), store, other.ID, other.Epoch)
				if err != nil {
					return cli.Explain(err)
				}
				theirs := om.Objects()
				for name := range m.Objects() {
					if _, ok := theirs[name]; ok {
						s.Shared[name] = append(s.Shared[name], uint64(other.ID))
					}
				}
			}
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), s)
			}
			return explainManifest(c.OutOrStdout(), s)
		},
	}
}

// chosen returns the checkpoint that the arguments name.
func chosen(infos []coordinator.CheckpointInfo, args []string) (coordinator.CheckpointInfo, error) {
	if len(infos) == 0 {
		return coordinator.CheckpointInfo{}, fmt.Errorf("%s has no checkpoint yet", args[0])
	}
	if len(args) == 1 {
		return infos[len(infos)-1], nil
	}
	id, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return coordinator.CheckpointInfo{}, cli.Usage(fmt.Errorf("checkpoint %q: it is named by a number", args[1]))
	}
	var have []string
	for _, i := range infos {
		if i.ID == checkpoint.ID(id) {
			return i, nil
		}
		have = append(have, i.ID.String())
	}
	return coordinator.CheckpointInfo{}, fmt.Errorf("checkpoint %d is not retained in %s: there are %s", id, args[0], strings.Join(have, ", "))
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
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, sub := range m.Subtasks {
		_, _ = fmt.Fprintf(t, "\n%s/%d\tsync %.1f ms\tasync %d ms\talign %d ms\n", sub.Operator, sub.Index, float64(sub.Timings.Sync.Microseconds())/1000,
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

// noJob says what it means that a job has no head.
func noJob(url string, err error) error {
	if errors.Is(err, upload.ErrNotExist) {
		return fmt.Errorf("%s is no job's directory: it has no head. Name it as <store>/<job-id>: %w", url, err)
	}
	return cli.Explain(err)
}
