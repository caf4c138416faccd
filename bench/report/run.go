package report

import (
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/profile"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/upload"
)

// Run is the report of one workload.
type Run struct {
	Head
	Workload      string        `json:"workload"`
	Options       []string      `json:"options"` // as they were given
	Result        launch.Report `json:"result"`
	EventsPerS    float64       `json:"events_per_s"`
	EventsPerCPUS float64       `json:"events_per_cpu_s"`
	CPUMicros     float64       `json:"cpu_us_per_event"`
	// GCShare is the part of the CPU time that Go's collector took, as the
	// runtime estimates it.
	GCShare        float64 `json:"gc_share"`
	AllocsPerEvent float64 `json:"allocs_per_event"`
	// Digest says how the result's digest compares with the one known.
	Digest      string       `json:"digest_check"`
	Checkpoints []Checkpoint `json:"checkpoint_list"`
	// DataPuts are the objects of state that were put, retries included, and
	// DataPutsPerSubtask those of a keyed subtask in a completed checkpoint.
	DataPuts           int64            `json:"data_puts"`
	DataPutsPerSubtask float64          `json:"data_puts_per_subtask_per_checkpoint"`
	Store              []upload.OpCount `json:"store_operations"`   // every request
	Profiles           string           `json:"profiles,omitempty"` // their directory
	Costs              *profile.Costs   `json:"costs,omitempty"`
	// Pairs compares this run with the same without checkpoints.
	Pairs []Row `json:"pairs,omitempty"`
	// Error is why the run failed; all else is then as far as it came.
	Error string `json:"error,omitempty"`
}

// Checkpoint is one that was completed or aborted.
type Checkpoint struct {
	ID          uint64  `json:"id"`
	State       string  `json:"state"`
	Reason      string  `json:"reason,omitempty"`
	DurationMS  float64 `json:"duration_ms"`
	SyncMS      float64 `json:"sync_ms"` // the slowest subtask's
	AlignMS     float64 `json:"align_ms"`
	AsyncMS     float64 `json:"async_ms"`
	FullBytes   int64   `json:"full_bytes"`
	NewBytes    int64   `json:"new_bytes"`
	ReusedBytes int64   `json:"reused_bytes"`
	NewObjects  int     `json:"new_objects"`
	Files       int     `json:"files"`
}

// listedCheckpoints is how many of a run's checkpoints the Markdown lists.
const listedCheckpoints = 40

// Markdown renders the report.
func (r Run) Markdown() string {
	var b strings.Builder
	r.Head.markdown(&b)
	if r.Error != "" {
		fmt.Fprintf(&b, "**The run failed:** %s\n\n", r.Error)
	}
	fmt.Fprintf(&b, "## %s\n\n", r.Workload)
	if len(r.Options) > 0 {
		fmt.Fprintf(&b, "Options: `%s`\n\n", strings.Join(r.Options, " "))
	}
	k := r.Result.Checkpoints
	rows := [][]string{
		{"events", fmt.Sprint(r.Result.Events)},
		{"wall", fmt.Sprintf("%.2f s, %.0f events/s", r.Result.WallS, r.EventsPerS)},
		{"CPU of the process", fmt.Sprintf("%.2f s, %.0f events/CPU-s, %.3f µs an event", r.Result.CPUS, r.EventsPerCPUS, r.CPUMicros)},
		{"of it Go's collector", fmt.Sprintf("%.1f %%", 100*r.GCShare)},
		{"allocations", fmt.Sprintf("%s an event", Number(r.AllocsPerEvent))},
		{"greatest memory (RSS)", Bytes(r.Result.MaxRSSBytes)},
		{"bound of it, stated before", bound(r.Result.Memory)},
		{"digest", r.Digest},
		{"attempts, malformed records", fmt.Sprintf("%d, %d", r.Result.Attempts, r.Result.Malformed)},
		{"checkpoints", fmt.Sprintf("%d completed, %d failed", k.Completed, k.Failed)},
	}
	if k.Completed > 0 {
		rows = append(rows, [][]string{
			{"sync pause, slowest subtask", percentiles(k.SyncMS)},
			{"trigger to commit", percentiles(k.DurationMS)},
			{"bytes", fmt.Sprintf("%s new, %s reused", Bytes(k.NewBytes), Bytes(k.ReusedBytes))},
			{"PUTs of state", fmt.Sprintf("%d, %.2f a keyed subtask a checkpoint", r.DataPuts, r.DataPutsPerSubtask)},
		}...)
	}
	table(&b, []string{"", ""}, rows)
	if len(r.Pairs) > 0 {
		b.WriteString("### Beside checkpoints off\n\n")
		rowTable(&b, r.Pairs)
	}
	r.checkpoints(&b)
	if len(r.Store) > 0 {
		b.WriteString("### Requests to the store\n\n")
		var ops [][]string
		for _, o := range r.Store {
			ops = append(ops, []string{o.Op, fmt.Sprint(o.Ops), fmt.Sprint(o.Failures), Bytes(o.Bytes)})
		}
		table(&b, []string{"request", "count", "failed", "bytes"}, ops)
	}
	if r.Costs != nil {
		costs(&b, r.Costs, r.Profiles)
	}
	return b.String()
}

func (r Run) checkpoints(b *strings.Builder) {
	if len(r.Checkpoints) == 0 {
		return
	}
	b.WriteString("### Checkpoints\n\n")
	list := r.Checkpoints
	if n := len(list) - listedCheckpoints; n > 0 {
		fmt.Fprintf(b, "The newest %d of %d.\n\n", listedCheckpoints, len(list))
		list = list[n:]
	}
	var rows [][]string
	for _, c := range list {
		state := c.State
		if c.Reason != "" {
			state += ": " + c.Reason
		}
		rows = append(rows, []string{
			fmt.Sprint(c.ID), state, fmt.Sprintf("%.0f", c.DurationMS), fmt.Sprintf("%.2f", c.SyncMS), fmt.Sprintf("%.1f", c.AlignMS), fmt.Sprintf("%.0f", c.AsyncMS),
			Bytes(c.FullBytes), Bytes(c.NewBytes), Bytes(c.ReusedBytes), fmt.Sprint(c.NewObjects), fmt.Sprint(c.Files),
		})
	}
	table(b, []string{"id", "", "duration ms", "sync ms", "align ms", "async ms", "state", "new", "reused", "new objects", "files"}, rows)
}

func costs(b *strings.Builder, c *profile.Costs, dir string) {
	fmt.Fprintf(b, "### Where the CPU went\n\n%.2f CPU-s sampled, %.0f %% of it Go's garbage collector. Profiles: `%s`.\n\n", c.Seconds, 100*c.GC, dir)
	for _, part := range []struct {
		title string
		list  []profile.Cost
	}{{"operator/phase", c.Operators}, {"function alone", c.Flat}, {"function and what it calls", c.Callers}} {
		var rows [][]string
		for _, v := range part.list {
			rows = append(rows, []string{"`" + v.Name + "`", fmt.Sprintf("%.1f %%", 100*v.Share)})
		}
		table(b, []string{part.title, "share"}, rows)
	}
}

func bound(m launch.Memory) string {
	return fmt.Sprintf("%s: table %s, RocksDB %s, queues %s, writing %s, garbage %s, program %s",
		Bytes(m.Total), Bytes(m.Table), Bytes(m.Native), Bytes(m.Queues), Bytes(m.Writing), Bytes(m.Headroom), Bytes(m.Program))
}

func percentiles(p launch.Percentiles) string {
	return fmt.Sprintf("p50 %.2f, p99 %.2f, max %.2f ms", p.P50, p.P99, p.Max)
}

// Bytes renders a size for people.
func Bytes(n int64) string {
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.n {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.n), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// rowTable writes rows of comparisons.
func rowTable(b *strings.Builder, rows []Row) {
	var cells [][]string
	for _, r := range rows {
		bar, verdict := r.Bar.String(), string(r.Verdict)
		if r.Verdict == measure.Missed {
			verdict = "**missed**"
		}
		cells = append(cells, []string{
			r.Figure, r.Arm, r.Against, Number(r.Ratio.Median),
			fmt.Sprintf("%s to %s", Number(r.Ratio.Low), Number(r.Ratio.High)), fmt.Sprintf("%s to %s", Number(r.Ratio.Min), Number(r.Ratio.Max)),
			fmt.Sprint(r.Ratio.N), Number(r.ArmValue.Median), againstValue(r), bar, verdict,
		})
	}
	table(b, []string{"figure", "arm", "beside", "median", "95 %", "range", "n", "arm's own", "other's own", "bar", ""}, cells)
}

func againstValue(r Row) string {
	if r.Against == "" {
		return ""
	}
	return Number(r.AgainstValue.Median)
}

// Number renders a figure with three digits that count.
func Number(v float64) string {
	switch a := max(v, -v); {
	case a == 0:
		return "0"
	case a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
