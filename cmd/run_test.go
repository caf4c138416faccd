package tidemarkcmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.uber.org/goleak"
)

// report is the line of JSON that run ends with, as the documentation has it.
type report struct {
	Job         string  `json:"job"`
	Events      int64   `json:"events"`
	Rows        int64   `json:"rows"`
	Digest      string  `json:"digest"`
	WallS       float64 `json:"wall_s"`
	CPUS        float64 `json:"cpu_s"`
	ResumedFrom *uint64 `json:"resumed_from"`
	Checkpoints struct {
		Completed  int                `json:"completed"`
		Failed     int                `json:"failed"`
		NewBytes   int64              `json:"new_bytes"`
		SyncMS     map[string]float64 `json:"sync_ms"`
		DurationMS map[string]float64 `json:"duration_ms"`
	} `json:"checkpoints"`
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v: %q", err, text)
	}
	if d.More() {
		t.Fatalf("more than one value: %q", text)
	}
	return v
}

// unbroken is what a run of the job count gives that nothing happened to.
func unbroken(t *testing.T) (rows []string, digest string) {
	t.Helper()
	p := place{t.TempDir()}
	r := parse[report](t, ok(t, p.run("--json", "--interval", "0")...))
	return lines(t, p.output()), r.Digest
}

func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return 0
}

// awaitCheckpoint waits until the job has a checkpoint of at least that id.
func awaitCheckpoint(t *testing.T, p place, id uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ids, err := retained(t.Context(), p, "count"); err == nil && len(ids) > 0 && ids[len(ids)-1] >= id {
			return
		}
	}
	t.Fatalf("there is no checkpoint %d after a minute", id)
}

// I3: a killed job says what it goes on from, and ends with what it would have
// had; run once more, it says that it is finished, and changes nothing.
func TestKillAndResume(t *testing.T) {
	want, digest := unbroken(t)
	p := place{t.TempDir()}
	cmd, _, _ := process(t, p.run("--rate-limit", "1000")...) // slow enough for a busy machine
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, p, 3)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != -1 {
		t.Fatalf("it ended with exit code %d before it was killed", code)
	}
	from := p.newest(t)
	out := ok(t, p.run()...)
	if first, _, _ := strings.Cut(out, "\n"); first != "count: resuming from checkpoint "+number(from)+" in "+p.url()+"/count" {
		t.Errorf("it begins with %q, and the newest checkpoint was %d", first, from)
	}
	if !strings.Contains(out, "digest "+digest) {
		t.Errorf("digest is not %s: %s", digest, out)
	}
	if got := lines(t, p.output()); !slices.Equal(got, want) {
		t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
	}

	before := tree(t, p.output())
	last := p.newest(t)
	r := tidemark(t, p.run("--json")...)
	if r.code != 0 || !strings.Contains(r.stderr, "count: finished: checkpoint "+number(last)) {
		t.Errorf("a finished job: %v", r)
	}
	if again := parse[report](t, r.out); again.ResumedFrom == nil || *again.ResumedFrom != last {
		t.Errorf("resumed_from is %v, want %d", again.ResumedFrom, last)
	}
	if d := differences(before, tree(t, p.output())); len(d) > 0 {
		t.Errorf("a finished job changed its output: %q", d)
	}
}

func number(n uint64) string {
	b, _ := json.Marshal(n) // cannot fail
	return string(b)
}

// What an interrupted run says is true: no checkpoint was taken, or they are off.
func TestAnInterruptedRunSaysWhatFollows(t *testing.T) {
	for interval, says := range map[string]string{
		"1h": "no checkpoint was taken, so the same command starts from the beginning",
		"0":  "checkpoints are off, so the same command starts from the beginning",
	} {
		p := place{t.TempDir()}
		cmd, out, stderr := process(t, p.run("--rate-limit", "100", "--interval", interval, "--stop-with", "nothing")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); len(tree(t, p.state())) < 2 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := exitCode(t, cmd); code != 130 || !strings.Contains(stderr.String(), says) {
			t.Errorf("interval %s: exit code %d, %s", interval, code, stderr)
		}
		if place := "count: starting from nothing; checkpoints go to " + p.url() + "/count\n"; interval != "0" && !strings.Contains(out.String(), place) {
			t.Errorf("%q lacks %q", out, place)
		}
	}
}

// I12: a run that is stopped leaves no goroutine behind.
func TestStoppedRunLeaksNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p := place{t.TempDir()}
	if err := stopAfter(p, 3); err != nil {
		t.Fatal(err)
	}
}

// --restore: none begins anew, an id goes back, and rows that a later
// checkpoint published are never doubled.
func TestRestoreChoices(t *testing.T) {
	want, _ := unbroken(t)
	t.Run("none", func(t *testing.T) {
		p := begun(t)
		from := p.newest(t)
		out := filepath.Join(p.dir, "another")
		if text := ok(t, p.run("--restore", "none", "--output", out)...); strings.Contains(text, "resuming") {
			t.Errorf("it resumed: %s", text)
		}
		if got := lines(t, out); !slices.Equal(got, want) {
			t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
		}
		if now := p.newest(t); now <= from {
			t.Errorf("the newest checkpoint is %d after %d: ids must rise (I7)", now, from)
		}
	})
	t.Run("latest", func(t *testing.T) {
		p := begun(t)
		from := p.newest(t)
		if text := ok(t, p.run("--restore", "latest")...); !strings.Contains(text, "resuming from checkpoint "+number(from)) {
			t.Errorf("it does not resume from %d: %s", from, text)
		}
		if got := lines(t, p.output()); !slices.Equal(got, want) {
			t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
		}
	})
	t.Run("id", func(t *testing.T) {
		p := begun(t)
		older := p.newest(t) - 1
		id := number(older - 1)
		r := tidemark(t, p.run("--restore", id)...)
		says(t, r, 1, "parts of another run", p.output(), "starts from checkpoint "+id, "Move the output away")
		later := 0
		for path := range tree(t, p.output()) {
			var of uint64
			if n, _ := fmt.Sscanf(filepath.Base(path), "part-count.out.%d-", &of); n == 1 && of >= older {
				later++
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		if text := ok(t, p.run("--restore", id)...); !strings.Contains(text, "resuming from checkpoint "+id) {
			t.Errorf("it does not resume from %s: %s", id, text)
		}
		if got := lines(t, p.output()); !slices.Equal(got, want) || later == 0 {
			t.Errorf("%d rows that are not the %d of an unbroken run; %d parts were later than checkpoint %s", len(got), len(want), later, id)
		}
	})
}

// --json: standard output is one line of JSON with all that is documented.
func TestRunJSON(t *testing.T) {
	p := place{t.TempDir()}
	r := tidemark(t, p.run("--json", "--rate-limit", "24000")...)
	if r.code != 0 || strings.Count(r.out, "\n") != 1 {
		t.Fatalf("not one line: %v", r)
	}
	got := parse[report](t, r.out)
	if got.Job != "count" || got.Events != 12000 || got.Rows != 12000 || len(got.Digest) != 16 || got.ResumedFrom != nil ||
		got.WallS <= 0 || got.CPUS <= 0 || got.Checkpoints.Completed < 2 || got.Checkpoints.NewBytes <= 0 {
		t.Errorf("report %+v", got)
	}
	for _, m := range []map[string]float64{got.Checkpoints.SyncMS, got.Checkpoints.DurationMS} {
		for _, k := range []string{"p50", "p99", "max"} {
			if _, has := m[k]; !has {
				t.Errorf("no %s in %v", k, m)
			}
		}
	}
	// It says what went wrong on standard error, and reports all the same.
	r = tidemark(t, p.run("--json", "--restore", "4711")...)
	if got := parse[report](t, r.out); r.code != 1 || got.Job != "count" || !strings.Contains(r.stderr, "not retained") {
		t.Errorf("a failed run: %v", r)
	}
}

// --interval 0: the checkpoint store is not touched.
func TestNoCheckpoints(t *testing.T) {
	p := place{t.TempDir()}
	out := ok(t, p.run("--interval", "0")...)
	if n := len(lines(t, p.output())); n != 12000 {
		t.Errorf("%d rows, want 12000", n)
	}
	if _, err := os.Stat(p.root()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a checkpoint store: %v", err)
	}
	if strings.Contains(out, "checkpoint") {
		t.Errorf("it speaks of checkpoints: %s", out)
	}
}

// --output: a directory, - for standard output, none; --emit: each key's last
// row, or every one.
func TestOutputs(t *testing.T) {
	p := place{t.TempDir()}
	args := func(more ...string) []string {
		return append([]string{"run", "count", "--events", "3000", "--keys", "50", "--interval", "40ms", "--restore", "none", "--digest",
			"--checkpoint-store", p.url(), "--state-dir", p.state()}, more...)
	}
	type row struct {
		Key   uint64
		Count int64
	}
	check := func(emit string, rows []string) {
		t.Helper()
		last := map[uint64]int64{}
		for _, l := range rows {
			r := parse[row](t, l)
			last[r.Key] = max(last[r.Key], r.Count)
		}
		total := int64(0)
		for _, n := range last {
			total += n
		}
		want := map[string]int{"final": len(last), "changes": 3000}[emit]
		if len(rows) != want || total != 3000 || len(last) == 0 || len(last) > 50 {
			t.Errorf("%s: %d rows of %d keys, %d in all; want %d rows, 3000 in all", emit, len(rows), len(last), total, want)
		}
	}
	for _, emit := range []string{"final", "changes"} {
		dir := filepath.Join(p.dir, emit)
		ok(t, args("--emit", emit, "--output", dir)...)
		check(emit, lines(t, dir))
		cmd, rows, stderr := process(t, args("--emit", emit, "--output", "-")...)
		if err := cmd.Run(); err != nil || !strings.Contains(stderr.String(), "digest") {
			t.Errorf("%s: %v; the summary belongs on standard error: %s", emit, err, stderr)
		}
		check(emit, strings.Split(strings.TrimSuffix(rows.String(), "\n"), "\n"))
		out := ok(t, args("--emit", emit, "--output", "none")...)
		if !strings.Contains(out, "3000 events") || strings.Contains(out, "output ") {
			t.Errorf("%s: %s", emit, out)
		}
	}
}

// I17: a second start of a job that runs on this machine is refused, and does
// not disturb the first, which leads on.
func TestSecondStartDoesNoHarm(t *testing.T) {
	p := place{t.TempDir()}
	cmd, _, stderr := process(t, p.run("--rate-limit", "4000")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, p, 1)
	other := place{t.TempDir()}
	before := tree(t, other.output())
	for _, start := range [][]string{p.run(), other.run("--state-dir", p.state())} {
		says(t, tidemark(t, start...), 1, p.state(), fmt.Sprintf("process %d", cmd.Process.Pid), "a process on this machine runs this job", "stop it first")
	}
	if d := differences(before, tree(t, other.output())); len(d) > 0 {
		t.Errorf("something was written: %q", d)
	}
	if code := exitCode(t, cmd); code != 0 {
		t.Errorf("the first ended with exit code %d, %s", code, stderr)
	}
}

// I17: local state never lies in the store, or the store in local state, and
// nothing that is not local state is deleted as such.
func TestStateDirOnTheStore(t *testing.T) {
	p := begun(t)
	before := tree(t, p.dir)
	says(t, tidemark(t, p.run("--state-dir", p.root())...), 2, p.root(), "neither may lie in the other")
	says(t, tidemark(t, p.run("--state-dir", p.dir, "--job-id", "checkpoints")...), 2, p.root(), "neither may lie in the other")
	elsewhere := place{t.TempDir()}
	says(t, tidemark(t, elsewhere.run("--state-dir", p.root())...), 1, p.root(), "not a directory of local state", "nothing was changed or deleted", "--state-dir")
	if d := differences(before, tree(t, p.dir)); len(d) > 0 {
		t.Errorf("something was written: %q", d)
	}
}

// I17: of two commands for one job on a directory store the later one is refused, also
// with local state of its own, and does not disturb the first.
func TestTwoCommandsForOneJob(t *testing.T) {
	want, _ := unbroken(t)
	p := place{t.TempDir()}
	cmd, _, stderr := process(t, p.run("--rate-limit", "4000")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, p, 2)
	says(t, tidemark(t, p.run("--state-dir", filepath.Join(p.dir, "state-of-another"))...), 1, "in use by another process",
		fmt.Sprintf("process %d", cmd.Process.Pid), "what to do", "stop it first")
	if code := exitCode(t, cmd); code != 0 {
		t.Errorf("the first: exit code %d, %s", code, stderr)
	}
	if got := lines(t, p.output()); !slices.Equal(got, want) {
		t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
	}
	ok(t, "checkpoints", "verify", p.url()+"/count")
}

// run --pprof writes profiles that can be read, and refuses a directory that
// cannot be used before anything else happens.
func TestProfiles(t *testing.T) {
	p := place{t.TempDir()}
	dir := filepath.Join(p.dir, "made", "profiles")
	ok(t, p.run("--pprof", dir)...)
	for _, name := range []string{"cpu", "heap", "mutex", "block"} {
		f, err := os.Open(filepath.Join(dir, name+".pprof"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = profile.Parse(f)
		_ = f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := place{t.TempDir()}
	file := filepath.Join(refused.dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	says(t, tidemark(t, refused.run("--pprof", filepath.Join(file, "dir"))...), 1, "directory for profiles", file, "not a directory", "--pprof")
	if d := differences(nil, tree(t, refused.root(), refused.output())); len(d) > 0 {
		t.Errorf("something was written: %q", d)
	}
}

// Input that came after the job had begun is named when it goes on, or is finished.
func TestNewInputIsNamed(t *testing.T) {
	p := place{t.TempDir()}
	in := filepath.Join(p.dir, "in")
	file := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	file("a.txt", "one two\n")
	file("b.txt", "one\n")
	args := slices.Concat([]string{"run", "wordcount", "--input", in + "/*.txt", "--interval", "40ms"}, p.where())
	ok(t, args...)
	file("empty.txt", "")
	file("other", "x\n")
	if r := tidemark(t, args...); r.code != 0 || strings.Contains(r.stderr, "new input") {
		t.Errorf("nothing is new: %v", r)
	}
	file("b.txt", "one\ntwo\n")
	file("c.txt", "three\n")
	r := tidemark(t, args...)
	says(t, r, 0, "new input is not read", "count=2", filepath.Join(in, "b.txt")+" (changed since it was read)", filepath.Join(in, "c.txt"), "start the job anew")
	if err := os.RemoveAll(in); err != nil {
		t.Fatal(err)
	}
	if r := tidemark(t, append(args, "--log-level", "warn")...); r.code != 0 || r.stderr != "" {
		t.Errorf("all input is gone: %v", r)
	}
}
