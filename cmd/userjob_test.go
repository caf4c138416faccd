package tidemarkcmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// userJob builds the program that README shows, and returns its directory.
func userJob(t *testing.T) string {
	t.Helper()
	dir := show(t, "README.md").module(t)
	must(t, in(t, dir, "go", "build", "-o", "delays", "."))
	return dir
}

// I3: an ordinary Go program with a job of its own has the verbs of tidemark,
// and goes on where it was killed.
func TestJobOfOnesOwn(t *testing.T) {
	dir := userJob(t)
	input, err := os.ReadFile(filepath.Join("..", "testdata", "flights", "flights-20k.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const flights = 6000
	rows := bytes.SplitAfterN(input, []byte("\n"), flights+1)[:flights]
	if err := os.MkdirAll(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "in", "flights.jsonl"), bytes.Join(rows, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	program := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd, out := exec.CommandContext(t.Context(), filepath.Join(dir, "delays"), args...), &bytes.Buffer{}
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
		return cmd, out
	}
	run := []string{"run", "--interval", "50ms", "--checkpoint-store", "file://checkpoints"}

	first, out := program(append(run, "--rate-limit", "4000")...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	stored := place{dir}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if ids, err := retained(t.Context(), stored, "delays"); err == nil && len(ids) > 0 && ids[len(ids)-1] >= 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no third checkpoint after a minute: %s", out)
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, first); code != -1 {
		t.Fatalf("it was not killed: exit code %d, %s", code, out)
	}

	second, out := program(run...)
	if err := second.Run(); err != nil || !strings.Contains(out.String(), "delays: resuming from checkpoint ") {
		t.Fatalf("the second start: %v, %s", err, out)
	}
	checkDelays(t, rows, lines(t, filepath.Join(dir, "out")))

	for verb, says := range map[string]string{
		"checkpoints ls file://checkpoints/delays":     "KEPT BY",
		"checkpoints verify file://checkpoints/delays": ": ok, ",
		"version": "RocksDB",
		"--help":  "checkpoints",
	} {
		cmd, out := program(strings.Fields(verb)...)
		if err := cmd.Run(); err != nil || !strings.Contains(out.String(), says) {
			t.Errorf("delays %s: %v, %s", verb, err, out)
		}
	}
	for _, args := range [][]string{{"run", "flights"}, {"run", "--events", "5"}} {
		cmd, out := program(args...)
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("delays %q: %v, %s", args, err, out)
		}
	}
}

// checkDelays compares the rows of the job with the flights: each route's
// numbers of flights are 1, 2, 3, … once, and the last row has its sum.
func checkDelays(t *testing.T, flights [][]byte, rows []string) {
	t.Helper()
	type key struct{ Origin, Destination string }
	type total struct{ Flights, Total int64 }
	want, got := map[key]total{}, map[key]total{}
	for _, line := range flights {
		var f struct {
			Origin, Destination string
			Delay               int64
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		k := key{f.Origin, f.Destination}
		want[k] = total{want[k].Flights + 1, want[k].Total + f.Delay}
	}
	seen := map[string]bool{}
	for _, line := range rows {
		var r struct {
			Origin, Destination string
			Flights, Total      int64
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if id := fmt.Sprint(r.Origin, r.Destination, r.Flights); seen[id] {
			t.Errorf("row %s comes twice", id)
		} else {
			seen[id] = true
		}
		k := key{r.Origin, r.Destination}
		if r.Flights > got[k].Flights {
			got[k] = total{r.Flights, r.Total}
		}
	}
	if len(rows) != len(flights) || !maps.Equal(got, want) {
		t.Errorf("%d rows of %d flights, whose sums are not right", len(rows), len(flights))
	}
}
