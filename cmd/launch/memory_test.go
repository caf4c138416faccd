package launch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/rocks"
)

// A run over a state far greater than its budgets states before how much memory
// it may take, and tells what it took, point by point (I12).
func TestMemory(t *testing.T) {
	const events, budget = 40_000, 4 << 20
	var logged bytes.Buffer
	run := func(ctx context.Context, parallelism int) (launch.Report, error) {
		job, _, err := jobs.Build("update", jobs.Options{Keys: events * 3 / 4, Events: events, ValueBytes: 4000})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		c := launch.Config{
			Job: job, Store: "file://" + filepath.Join(dir, "store"), StateDir: filepath.Join(dir, "state"), Interval: 100 * time.Millisecond,
			Rocks: rocks.Options{TableBytes: budget, MemoryBytes: budget}, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		}
		c.Engine.Parallelism = parallelism
		return launch.Run(ctx, c)
	}
	r, err := run(context.Background(), 2)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Memory
	if m.Table != budget || m.Native != budget || m.Queues <= 0 || m.Total != m.Table+m.Native+m.Queues+m.Writing+m.Headroom+m.Program {
		t.Errorf("stated %+v", m)
	}
	if !strings.Contains(logged.String(), "bytes.total=") {
		t.Errorf("the bound was not logged: %s", logged.String())
	}
	if r.MaxRSSBytes <= 0 || r.MaxRSSBytes > m.Total+m.Total/10 {
		t.Errorf("the process took %d bytes, at most %d were stated", r.MaxRSSBytes, m.Total)
	}
	if r.Allocs <= 0 || r.AllocBytes <= 0 || r.GCCPUS < 0 || r.GCCPUS > r.WallS*float64(runtime.NumCPU()) { // Go estimates it by wall time
		t.Errorf("usage %+v of %v CPU s", r.Usage, r.CPUS)
	}
	last := r.Series[len(r.Series)-1]
	if last.Events != events || last.WallS > r.WallS || last.CPUS > r.CPUS || last.RSSBytes <= last.GoBytes || last.GoBytes <= 0 {
		t.Errorf("last point %+v of %+v", last, r)
	}
	for i, p := range r.Series[1:] {
		if before := r.Series[i]; p.WallS < before.WallS || p.CPUS < before.CPUS || p.Events < before.Events {
			t.Errorf("point %+v after %+v", p, before)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if wider, _ := run(ended, 4); wider.Memory.Queues != 4*m.Queues { // stated whatever becomes of the run
		t.Errorf("queues of 4 by 4 channels take %d bytes, of 2 by 2 %d", wider.Memory.Queues, m.Queues)
	}
}
