package tidemarkcmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark/tidemark/cmd/internal/cli"
	"github.com/tidemark/tidemark/engine/state"
)

// largestKeys is how many of the largest keys stats names.
const largestKeys = 10

// stateStats is what stats prints.
type stateStats struct {
	Operator   string     `json:"operator"`
	State      string     `json:"state"`
	Checkpoint uint64     `json:"checkpoint"`
	Keys       int        `json:"keys"`
	Entries    int        `json:"entries"`
	Bytes      int64      `json:"bytes"` // of keys and values, before compression
	Groups     groupStats `json:"key_groups"`
	Largest    []keyStats `json:"largest_keys"`
}

// groupStats tells how evenly the bytes lie in the key groups.
type groupStats struct {
	Used     int     `json:"used"`
	Of       int     `json:"of"`
	MaxBytes int64   `json:"max_bytes"`
	Largest  int     `json:"largest"`
	Skew     float64 `json:"skew"` // the largest beside the mean of all
}

type keyStats struct {
	Key     json.RawMessage `json:"key"`
	Entries int             `json:"entries"`
	Bytes   int64           `json:"bytes"`
}

// tally counts the entries of a state, which come sorted by key.
type tally struct {
	stateStats
	groups []int64
	at     keyStats
}

func (t *tally) add(e state.UntypedEntry, bytes int) {
	if t.at.Entries == 0 || string(t.at.Key) != string(e.Key) {
		t.endKey()
		t.at = keyStats{Key: e.Key}
	}
	t.at.Entries++
	t.at.Bytes += int64(bytes)
	t.Entries++
	t.Bytes += int64(bytes)
	t.groups[e.Group] += int64(bytes)
}

// endKey counts the key that is complete.
func (t *tally) endKey() {
	if t.at.Entries == 0 {
		return
	}
	t.Keys++
	if len(t.Largest) < largestKeys || t.at.Bytes > t.Largest[len(t.Largest)-1].Bytes {
		i, _ := slices.BinarySearchFunc(t.Largest, t.at, func(a, b keyStats) int { return cmp.Compare(b.Bytes, a.Bytes) })
		t.Largest = slices.Insert(t.Largest, i, t.at)
		t.Largest = t.Largest[:min(len(t.Largest), largestKeys)]
	}
	t.at = keyStats{}
}

func (t *tally) end() stateStats {
	t.endKey()
	g := groupStats{Of: len(t.groups)}
	for i, n := range t.groups {
		if n > 0 {
			g.Used++
		}
		if n > g.MaxBytes {
			g.MaxBytes, g.Largest = n, i
		}
	}
	if t.Bytes > 0 {
		g.Skew = float64(g.MaxBytes) * float64(g.Of) / float64(t.Bytes)
	}
	t.Groups = g
	return t.stateStats
}

func stateStatsCommand(f *stateFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "stats <store>/<job-id>[@<checkpoint>]", Short: "Count a state's keys, entries and bytes, and name its largest keys", Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			r, s, err := f.open(c, args[0])
			if err != nil {
				return err
			}
			t := &tally{
				stateStats: stateStats{Operator: string(s.Operator), State: s.Descriptor.Name, Checkpoint: uint64(r.manifest.Checkpoint), Largest: []keyStats{}},
				groups:     make([]int64, r.manifest.Graph.MaxParallelism),
			}
			err = r.each(c.Context(), s, s.Handles, allOf, func(e state.UntypedEntry, bytes int) error {
				t.add(e, bytes)
				return nil
			})
			if err != nil {
				return err
			}
			stats := t.end()
			r.told(c.ErrOrStderr(), stats.Entries)
			if f.json {
				return cli.PrintJSON(c.OutOrStdout(), stats)
			}
			return stats.print(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return f.bind(c)
}

func (s stateStats) print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "%s/%s at checkpoint %d: %d keys, %d entries, %s\n", s.Operator, s.State, s.Checkpoint, s.Keys, s.Entries, cli.BytesText(s.Bytes))
	_, _ = fmt.Fprintf(w, "%d of %d key groups hold some; the largest, %d, holds %s, %.1f times the mean\n", s.Groups.Used, s.Groups.Of, s.Groups.Largest, cli.BytesText(s.Groups.MaxBytes), s.Groups.Skew)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "LARGEST KEYS\tENTRIES\tBYTES")
	for _, k := range s.Largest {
		_, _ = fmt.Fprintf(t, "%.100s\t%d\t%s\n", k.Key, k.Entries, cli.BytesText(k.Bytes))
	}
	return t.Flush()
}
