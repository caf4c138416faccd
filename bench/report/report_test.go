package report_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/tidemark/tidemark/bench/measure"
	"github.com/tidemark/tidemark/bench/profile"
	"github.com/tidemark/tidemark/bench/report"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/upload"
)

var update = flag.Bool("update", false, "write the golden files anew")

var head = report.Head{
	Title: "Benchmark of q18", Made: time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC), Version: "tidemark v1", Library: "RocksDB 7.8.3 (release)",
	Machine:   report.Machine{Cores: 2, CPU: "Z80", System: "linux/amd64", Go: "go1.26", Load: "0.10 0.20 0.30"},
	LoadAfter: "2.00 1.00 0.50", Command: "tidemark bench q18",
}

var row = report.Row{
	Figure: "events per CPU-s", Arm: "1 s", Against: "off", Bar: measure.Bar{AtLeast: 0.95}, Verdict: measure.Missed,
	Ratio:    measure.Summary{N: 5, Median: 0.9, Min: 0.8, Max: 0.94, Low: 0.85, High: 0.93},
	ArmValue: measure.Summary{N: 5, Median: 90_000}, AgainstValue: measure.Summary{N: 5, Median: 100_000},
}

var documents = map[string]report.Document{
	"run": report.Run{
		Head: head, Workload: "q18", Options: []string{"--events=100000", "--interval=1s"},
		Result: launch.Report{
			Job: "q18", Events: 92_000, WallS: 0.5, CPUS: 0.8, Attempts: 1,
			Checkpoints: launch.Checkpoints{Completed: 2, Failed: 1, NewBytes: 3 << 20, ReusedBytes: 1 << 10, SyncMS: launch.Percentiles{P50: 0.02, P99: 0.5, Max: 0.5}},
			Usage:       launch.Usage{Allocs: 9_200, AllocBytes: 1 << 20, GCCPUS: 0.04, MaxRSSBytes: 200 << 20},
			Memory:      launch.Memory{Table: 32 << 20, Native: 64 << 20, Headroom: 32 << 20, Program: 64 << 20, Total: 192 << 20},
			Series:      []launch.Point{{WallS: 0.5, CPUS: 0.8, Events: 92_000, RSSBytes: 200 << 20, GoBytes: 50 << 20}},
		},
		EventsPerS: 184_000, EventsPerCPUS: 115_000, CPUMicros: 8.6957, GCShare: 0.05, AllocsPerEvent: 0.1, Digest: "db1849ab9602fd71, as known from elsewhere",
		Checkpoints: []report.Checkpoint{
			{ID: 1, State: "completed", DurationMS: 20, SyncMS: 0.02, FullBytes: 2 << 20, NewBytes: 2 << 20, NewObjects: 2, Files: 4},
			{ID: 2, State: "aborted", Reason: "no space | left"},
		},
		DataPuts: 4, DataPutsPerSubtask: 1, Store: []upload.OpCount{{Op: "put", Ops: 8, Failures: 1, Bytes: 3 << 20}},
		Profiles: "profiles", Costs: &profile.Costs{
			Seconds: 0.8, GC: 0.05, Flat: []profile.Cost{{Name: "leaf", Share: 0.5}}, Callers: []profile.Cost{{Name: "main", Share: 0.9}},
			Operators: []profile.Cost{{Name: "last/process", Share: 0.6}},
		},
		Pairs: []report.Row{row},
	},
	"failed": report.Run{Head: head, Workload: "q18", Error: "put: denied"},
	"suite": report.Suite{
		Head: head,
		Experiments: []report.Experiment{
			{
				Name: "checkpoints-q18", About: "With and without.", Rows: []report.Row{row, {Figure: "checkpoints", Arm: "1 s", Ratio: measure.Summary{N: 5, Median: 12}}},
				Arms:  []report.Arm{{Name: "off", Command: "tidemark run q18 --interval=0", Values: map[string][]float64{"v": {1, 2}, report.CPUMicros: {1, 3}, report.GCShare: {0.1, 0.2}, report.AllocsPer: {0.5, 0.5}, report.RSSBytes: {1 << 20, 3 << 20}}}, {Name: "1 s"}},
				Notes: []string{"all arms agree"},
			},
			{Name: "broken", About: "Ends early.", Error: "exit status 1"},
		},
		LeftOut: []report.LeftOut{{Name: "flink-q18", Why: "no program was given"}},
		Charts:  []report.Chart{{Name: "ratios", Title: "Figures and bars", SVG: []byte("<svg/>")}},
	},
}

func TestGolden(t *testing.T) {
	for name, d := range documents {
		stem := filepath.Join(t.TempDir(), name)
		if err := report.Write(stem, d); err != nil {
			t.Fatal(err)
		}
		for _, ext := range []string{".md", ".json"} {
			got, err := os.ReadFile(stem + ext)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+ext)
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s differs (go test ./bench/report -update writes it anew):\n%s", golden, got)
			}
		}
	}
}

// A program reads back from the JSON what was measured.
func TestJSON(t *testing.T) {
	stem := filepath.Join(t.TempDir(), "suite.md")
	want := documents["suite"].(report.Suite)
	if err := report.Write(stem, want); err != nil {
		t.Fatal(err)
	}
	_, path := report.Paths(stem)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got report.Suite
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(filepath.Dir(path), got.Charts[0].File))
	if err != nil || string(svg) != "<svg/>" {
		t.Errorf("chart %+v: %q, %v", got.Charts[0], svg, err)
	}
	got.Charts = want.Charts
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPaths(t *testing.T) {
	for file, want := range map[string][2]string{
		"a/report": {"a/report.md", "a/report.json"}, "r.md": {"r.md", "r.json"}, "r.json": {"r.md", "r.json"}, "v1.2": {"v1.2.md", "v1.2.json"},
	} {
		if md, js := report.Paths(file); md != want[0] || js != want[1] {
			t.Errorf("%s: %s, %s; want %v", file, md, js, want)
		}
	}
}

func TestWriteError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(filepath.Join(file, "report"), documents["run"]); err == nil {
		t.Error("a report was written below a file")
	}
}

func TestInspect(t *testing.T) {
	if m := report.Inspect(); m.Cores < 1 || m.System == "" || m.Go == "" || m.Load == "" {
		t.Errorf("%+v", m)
	}
}
