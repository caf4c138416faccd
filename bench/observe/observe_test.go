package observe_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/tidemark/tidemark/bench/observe"
	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
)

func config(t *testing.T, job string, o jobs.Options) launch.Config {
	t.Helper()
	j, _, err := jobs.Build(job, o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return launch.Config{
		Job: j, Store: "file://" + filepath.Join(dir, "store"), StateDir: filepath.Join(dir, "state"), Interval: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// The profiles can be read back, and say which operator and phase the time
// went to.
func TestProfiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profiles")
	// As much work as gives every operator samples, 100 a second, without fail.
	c := config(t, "q18", jobs.Options{Events: 500_000})
	c.Profiles = dir
	r, err := observe.Run(context.Background(), c, observe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{launch.CPUProfile, "heap.pprof", "mutex.pprof", "block.pprof"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(f)
		_ = f.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := p.CheckValid(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name != launch.CPUProfile {
			continue
		}
		operators, phases := labels(p, "operator"), labels(p, "phase")
		for _, want := range []string{"bids", "last"} {
			if !slices.Contains(operators, want) {
				t.Errorf("operators %v, want %s among them", operators, want)
			}
		}
		if !slices.Contains(phases, "process") {
			t.Errorf("phases %v, want process among them", phases)
		}
	}
	if r.Costs == nil || r.Costs.Seconds == 0 || len(r.Costs.Operators) < 2 || len(r.Costs.Flat) == 0 {
		t.Errorf("costs %+v", r.Costs)
	}
}

func labels(p *profile.Profile, key string) (values []string) {
	for _, s := range p.Sample {
		for _, v := range s.Label[key] {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// What is counted agrees, whoever counts.
func TestCounts(t *testing.T) {
	c := config(t, "update", jobs.Options{Events: 30_000, Keys: 3_000, ValueBytes: 64})
	c.Engine.Parallelism = 2
	r, err := observe.Run(context.Background(), c, observe.Options{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Result.Events != 30_000 || r.EventsPerS <= 0 || r.EventsPerCPUS <= 0 || r.Result.MaxRSSBytes <= 0 || r.AllocsPerEvent <= 0 {
		t.Errorf("%+v", r)
	}
	var objects, newBytes int64
	completed := 0
	for _, k := range r.Checkpoints {
		if k.State == "completed" {
			completed++
			objects += int64(k.NewObjects)
			newBytes += k.NewBytes
		}
	}
	if completed == 0 || completed != r.Result.Checkpoints.Completed {
		t.Errorf("%d completed checkpoints listed, the run reports %d", completed, r.Result.Checkpoints.Completed)
	}
	if r.DataPuts < objects {
		t.Errorf("%d PUTs of state made %d objects", r.DataPuts, objects)
	}
	if newBytes != r.Result.Checkpoints.NewBytes {
		t.Errorf("checkpoints list %d new bytes, the run reports %d", newBytes, r.Result.Checkpoints.NewBytes)
	}
	for _, o := range r.Store {
		if o.Op == "put" && (o.Ops < r.DataPuts+int64(completed) || o.Bytes < newBytes) {
			t.Errorf("%+v, of them %d of state, with %d checkpoints and %d new bytes", o, r.DataPuts, completed, newBytes)
		}
	}
}
