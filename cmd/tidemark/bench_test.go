package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	benchreport "github.com/tidemark/tidemark/bench/report"
	tidemarkcmd "github.com/tidemark/tidemark/cmd"
)

// asCommand makes the test's binary the program tidemark.
const asCommand = "TIDEMARK_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	_ = os.Setenv(asCommand, "1") // for children
	os.Exit(m.Run())
}

// bench runs a job, profiles it, and knows its digest (I3).
func TestBench(t *testing.T) {
	dir := t.TempDir()
	file, profiles := filepath.Join(dir, "report.md"), filepath.Join(dir, "profiles")
	var stdout, stderr bytes.Buffer
	args := []string{"bench", "q17", "--events=100000", "--digest", "--interval=100ms", "--pprof=" + profiles, "--report=" + file}
	if code := tidemarkcmd.Run(context.Background(), nil, args, &stdout, &stderr, benchCommand()); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	b, err := os.ReadFile(strings.TrimSuffix(file, ".md") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var r benchreport.Run
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if r.Result.Events != 92_000 || !strings.Contains(r.Digest, "as known from elsewhere") || r.Result.Checkpoints.Completed == 0 || r.DataPuts == 0 {
		t.Errorf("%s", b)
	}
	if !strings.Contains(r.Library, "RocksDB") || !strings.Contains(r.Version, "tidemark") {
		t.Errorf("version %q, library %q", r.Version, r.Library)
	}
	for _, name := range []string{"cpu", "heap", "mutex", "block"} {
		if info, err := os.Stat(filepath.Join(profiles, name+".pprof")); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v, %v", name, info, err)
		}
	}
}

func TestBenchToStdout(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"bench", "count", "--events=1000", "--keys=10", "--interval=0"}
	if code := tidemarkcmd.Run(context.Background(), nil, args, &stdout, &stderr, benchCommand()); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if text := stdout.String(); !strings.HasPrefix(text, "# Benchmark of count\n") || !strings.Contains(text, "| events | 1000 |") {
		t.Errorf("%s", text)
	}
}

func TestBenchMistakes(t *testing.T) {
	for _, args := range [][]string{
		{"bench"}, {"bench", "nojob"}, {"bench", "q17", "--pairs=-1"}, {"bench", "q17", "--keys=3"},
		{"bench", "suite", "--only=("}, {"bench", "suite", "--pairs=-1"}, {"bench", "suite", "--flights-expected=x"},
	} {
		var stdout, stderr bytes.Buffer
		if code := tidemarkcmd.Run(context.Background(), nil, args, &stdout, &stderr, benchCommand()); code != 2 {
			t.Errorf("%v: exit code %d, want 2: %s", args, code, stderr.String())
		}
	}
}

// The suite runs arms as processes of this program, the bare loop among them.
func TestSuite(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"bench", "suite", "--quick", "--pairs=1", "--only=^pass-through$"}
	if code := tidemarkcmd.Run(t.Context(), nil, args, &stdout, &stderr, benchCommand()); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if text := stdout.String(); !strings.Contains(text, "| bare loop |") {
		t.Errorf("no figure of the bare loop: %s", text)
	}
}
