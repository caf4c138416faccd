package crash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/bench/crash"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

const flightsInput = "../../testdata/flights/flights-20k.jsonl"

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// needsS3 skips the test where there is no S3 server to start.
func needsS3(t *testing.T) {
	t.Helper()
	if _, err := s3server.Find(); err != nil {
		if os.Getenv(s3server.RequireEnv) == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// logTo writes lines to the test's log.
type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// I1, I3, I5, I7: kills at random moments lose, double and leave nothing.
func TestKills(t *testing.T) {
	t.Parallel() // it waits most of the time
	needsS3(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TIDEMARK_CRASH_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (again with TIDEMARK_CRASH_SEED)", seed)
	program, env := self(t)
	o := crash.Options{
		Program: program, Env: env, Dir: filepath.Join(t.TempDir(), "work"), Kills: 8, Seed: seed,
		Input: flightsInput, Events: 40_000, RunFor: 2 * time.Second, Interval: 100 * time.Millisecond, Log: logTo{t},
	}
	report, err := crash.Run(t.Context(), o)
	var text strings.Builder
	report.Write(&text)
	t.Log(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if report.Kills != o.Kills {
		t.Errorf("%d kills, want %d", report.Kills, o.Kills)
	}
	for _, j := range report.Jobs {
		if j.Runs == 0 || j.Rows == 0 || j.Kills != 2 {
			t.Errorf("job %s: %+v", j.Job, j)
		}
	}
	if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the work directory of a run that found nothing broken is still there: %v", err)
	}
}

// I2, I3, I4, I9: neither do processes that go on beside their successors, and
// restarts with another parallelism.
func TestPausesAndRescaling(t *testing.T) {
	t.Parallel() // it waits most of the time
	needsS3(t)
	program, env := self(t)
	report, err := crash.Run(t.Context(), crash.Options{
		Program: program, Env: env, Dir: filepath.Join(t.TempDir(), "work"), Kills: 3, Seed: 4, Jobs: []string{"q17-changes"}, Pause: true, Rescale: true,
		Events: 40_000, RunFor: 2 * time.Second, Interval: 100 * time.Millisecond, Parallelism: 2, Log: logTo{t},
	})
	var text strings.Builder
	report.Write(&text)
	t.Log(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if report.Kills != 3 || report.Jobs[0].Paused == 0 {
		t.Errorf("%d kills and %d pauses, want 3 and some", report.Kills, report.Jobs[0].Paused)
	}
}

// I1, I2, I5: gc beside a job that is killed deletes nothing that is needed.
func TestCollectsBeside(t *testing.T) {
	t.Parallel() // it waits most of the time
	needsS3(t)
	program, env := self(t)
	report, err := crash.Run(t.Context(), crash.Options{
		Program: program, Env: env, Dir: filepath.Join(t.TempDir(), "work"), Kills: 4, Seed: 2, Jobs: []string{"q18"}, Collect: true,
		Events: 40_000, RunFor: 2 * time.Second, Interval: 100 * time.Millisecond, Parallelism: 2, Log: logTo{t},
	})
	var text strings.Builder
	report.Write(&text)
	t.Log(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if j := report.Jobs[0]; j.Kills != 4 || j.Collections < 3 || j.CollectionsKilled == 0 {
		t.Errorf("%d kills, %d collections, %d of them killed", j.Kills, j.Collections, j.CollectionsKilled)
	}
}

// argument returns the value of a flag of this process's command line.
func argument(flag string) string {
	if i := slices.Index(os.Args, flag); i > 0 && i+1 < len(os.Args) {
		return os.Args[i+1]
	}
	return ""
}

// spoil does to the run that has just ended what a broken engine might have
// done, unless it was the reference run.
func spoil(how string) error {
	output, id := argument("--output"), argument("--job-id")
	if strings.HasSuffix(id, "-reference") {
		return nil
	}
	store := filepath.Join(strings.TrimPrefix(argument("--checkpoint-store"), "file://"), id)
	parts, err := filepath.Glob(filepath.Join(output, "part-*"))
	if err != nil || len(parts) == 0 {
		return fmt.Errorf("no parts: %w", err)
	}
	b, err := os.ReadFile(parts[0])
	if err != nil {
		return err
	}
	switch how {
	case "lose":
		return os.WriteFile(parts[0], b[strings.IndexByte(string(b), '\n')+1:], 0o666)
	case "double":
		return os.WriteFile(parts[0], append(b, b[:strings.IndexByte(string(b), '\n')+1]...), 0o666)
	case "unpublished":
		return os.WriteFile(filepath.Join(output, ".pending", "out.9-9-9-9.jsonl"), nil, 0o666)
	case "orphan":
		return os.WriteFile(filepath.Join(store, "manifests", "9999-1"), []byte("x"), 0o666)
	case "damage", "delete":
		objects, err := filepath.Glob(filepath.Join(store, "data", "*", "*"))
		if err != nil || len(objects) == 0 {
			return fmt.Errorf("no objects in %s: %w", store, err)
		}
		if how == "delete" {
			return os.Remove(objects[0])
		}
		return os.Truncate(objects[0], 1)
	case "fail":
		return errors.New("spoilt to fail")
	}
	return fmt.Errorf("no way to spoil is called %q", how)
}

// I1, I3, I5: what is lost, doubled, damaged or left behind is found, named and
// kept.
func TestFindsWhatIsBroken(t *testing.T) {
	program, env := self(t)
	for _, c := range []struct{ job, how, tells string }{
		{"q18", "lose", "lost row"},
		{"q18", "double", "surplus row"},
		{"q17-changes", "lose", "should come"},
		{"q17-changes", "double", "should come"},
		{"states", "lose", "; states"},
		{"states", "double", "; states"},
		{"q18", "unpublished", "left unpublished: .pending/out.9-9-9-9.jsonl"},
		{"q18", "orphan", "nothing reaches manifests/9999-1"},
		{"q18", "damage", "corrupt"},
		{"q18", "delete", "does not exist"},
		{"q18", "fail", "spoilt to fail"},
	} {
		t.Run(c.job+"/"+c.how, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "work")
			report, err := crash.Run(t.Context(), crash.Options{
				Program: program, Env: append(env, spoilEnv+"="+c.how), Dir: dir, Store: "file://" + filepath.Join(t.TempDir(), "store"),
				Kills: 1, Jobs: []string{c.job}, Events: 5000, RunFor: 300 * time.Millisecond, Interval: 50 * time.Millisecond, Parallelism: 2,
			})
			if !errors.Is(err, crash.ErrBroken) {
				t.Fatalf("error %v, want %v", err, crash.ErrBroken)
			}
			if all := strings.Join(report.Jobs[0].Broken, "\n"); !strings.Contains(all, c.tells) {
				t.Errorf("found %q, want %q in it", all, c.tells)
			}
			if _, err := os.Stat(filepath.Join(dir, c.job+"-1.log")); report.Kept != dir || err != nil {
				t.Errorf("kept %q, want %q: %v", report.Kept, dir, err)
			}
			if b, err := json.Marshal(report); err != nil || !strings.Contains(string(b), `"broken":["`) {
				t.Errorf("report as JSON: %s, %v", b, err)
			}
		})
	}
}

// Mistakes are told before anything runs.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		o    crash.Options
		want string
	}{
		{crash.Options{Jobs: []string{"q18"}}, "no program"},
		{crash.Options{Program: []string{"x"}}, "flights needs an input"},
		{crash.Options{Program: []string{"x"}, Jobs: []string{"q99"}}, `no job "q99": use "flights", "q18", "q17-changes" or "states"`},
		{crash.Options{Program: []string{"x"}, Jobs: []string{"q18", "q18"}}, "named twice"},
		{crash.Options{Program: []string{"x"}, Jobs: []string{"q18"}, Kills: -1}, "must be positive"},
	} {
		if _, err := crash.Run(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", err, c.want)
		}
	}
}

// I12: a process that takes more memory than its container has is found.
func TestFindsWhatTakesTooMuchMemory(t *testing.T) {
	c, err := crash.NewContainer(32 << 20)
	if err != nil {
		t.Skip("no container for memory: ", err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read go; head -c 100000000 /dev/zero | tail -c 90000000 | wc -c")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // what was killed in it is what counts
	if n, err := c.Killed(); err != nil || n == 0 {
		t.Errorf("%d processes were killed, %v", n, err)
	}
}
