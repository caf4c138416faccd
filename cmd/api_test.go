package tidemarkcmd_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// apiOf returns the address that a program prints, and a function that returns all that
// it printed, once it has ended.
func apiOf(t *testing.T, cmd *exec.Cmd) (url string, ended func() string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var printed strings.Builder
	lines := bufio.NewReader(io.TeeReader(out, &printed))
	for url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v ended without an address: %s", cmd, printed.String())
		}
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == "API" {
			url = strings.TrimSpace(value)
		}
	}
	return url, func() string {
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
		return printed.String()
	}
}

// fetch decodes the answer of a path.
func fetch(t *testing.T, url string) (v map[string]any) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&v); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return v
}

// A running job is served at the address that it prints, which head names too; other jobs
// on the machine are served at other ones.
func TestARunningJobIsServed(t *testing.T) {
	first, second := place{t.TempDir()}, place{t.TempDir()}
	a, _, _ := process(t, first.run("--rate-limit", "500")...)
	b, _, _ := process(t, second.run("--rate-limit", "500")...)
	a.Stdout, b.Stdout = nil, nil
	urlA, _ := apiOf(t, a)
	urlB, _ := apiOf(t, b)
	if urlA == urlB {
		t.Fatalf("both are served at %s", urlA)
	}
	if leader := fetch(t, urlA+"/jobs/count/head")["leader"]; "http://"+leader.(string) != urlA {
		t.Errorf("head says that %v leads, and it is served at %s", leader, urlA)
	}
	answer, err := http.Get(urlA + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	for _, says := range []string{"tidemark_running{", "tidemark_rocksdb_live_bytes{", "tidemark_store_requests_total{", "flink_jobmanager_job_numberOfCompletedCheckpoints{"} {
		if err != nil || !strings.Contains(string(text), says) {
			t.Errorf("/metrics lacks %s: %v", says, err)
		}
	}
	details := fetch(t, urlB+"/jobs/count")
	if details["state"] != "RUNNING" || len(details["vertices"].([]any)) != 2 {
		t.Errorf("the job: %v", details)
	}
}

// The verbs of job ask and tell a running job.
func TestVerbsOfJob(t *testing.T) {
	p := place{t.TempDir()}
	cmd, _, _ := process(t, p.run("--rate-limit", "500", "--interval", "1h")...)
	cmd.Stdout = nil
	url, _ := apiOf(t, cmd)
	job := func(verb string, more ...string) string {
		return ok(t, append([]string{"job", verb, "--server", url}, more...)...)
	}
	if out := job("checkpoint"); !strings.HasPrefix(out, "count: checkpoint 1 is committed") {
		t.Errorf("checkpoint: %s", out)
	}
	if out := job("checkpoint", "count", "--json"); !strings.Contains(out, `"checkpointId": 2`) {
		t.Errorf("checkpoint: %s", out)
	}
	out := job("status")
	for _, says := range []string{"count: running for ", "checkpoints 2 completed, 0 failed", "newest      2 of ", "VERTEX", "keys  ", "count -> out"} {
		if !strings.Contains(out, says) {
			t.Errorf("status lacks %q: %s", says, out)
		}
	}
	if s := parse[struct {
		Job struct{ Jid, State string }
	}](t, job("status", "--json")); s.Job.Jid != "count" || s.Job.State != "RUNNING" {
		t.Errorf("status: %+v", s)
	}
	if out := job("retention", "--policy", "newest=1"); !strings.Contains(out, "1: dropped") || !strings.Contains(out, "to do this: --apply") {
		t.Errorf("plan: %s", out)
	}
	if out := job("retention", "--policy", "newest=1", "--apply"); !strings.Contains(out, "retention: newest=1") {
		t.Errorf("apply: %s", out)
	}
	if out := job("retention"); out != "job count\n2: kept by newest, count\nretention: newest=1\nnothing was changed; to do this: --apply\n" {
		t.Errorf("retention: %s", out)
	}
	for _, args := range [][]string{{"checkpoint"}, {"stop"}, {"cancel"}, {"retention", "--policy", "newest=1", "--apply"}} { // of whoever is at the default address
		if r := tidemark(t, append([]string{"job"}, args...)...); r.code != 2 || !strings.Contains(r.stderr, "give its id, or --server") {
			t.Errorf("%v: %v", args, r)
		}
	}
	if out := ok(t, "job", "status", "--server", strings.TrimPrefix(url, "http://")); !strings.HasPrefix(out, "count: running") {
		t.Errorf("status without a scheme: %s", out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status", "other"}, 1, "job other is not here: this process runs count"},
		{[]string{"retention", "--apply"}, 2, "--apply needs --policy"},
		{[]string{"retention", "--policy", "x"}, 1, "retention"},
		{[]string{"status", "--token-file", "/no/such/file"}, 1, "token"},
		{[]string{"status", "--server", "http://127.0.0.1:1"}, 1, "refused"},
	} {
		if r := tidemark(t, append([]string{"job", c.args[0], "--server", url}, c.args[1:]...)...); r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%v: %v", c.args, r)
		}
	}
}

// A job that is stopped ends well behind a pinned checkpoint, from which the same command
// resumes; one that is cancelled ends well, and resumes from an older one.
func TestAJobIsEndedThroughItsAPI(t *testing.T) { // I3
	p := place{t.TempDir()}
	var last string
	for _, verb := range []string{"stop", "cancel"} {
		cmd, _, stderr := process(t, p.run("--rate-limit", "1000", "--interval", "1h")...)
		cmd.Stdout = nil
		url, ended := apiOf(t, cmd)
		ok(t, "job", "checkpoint", "--server", url)
		out := ok(t, "job", verb, "--server", url)
		printed := ended()
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s: exit code %d: %s%s", verb, code, printed, stderr)
		}
		if !strings.Contains(stderr.String(), "write through the API") {
			t.Errorf("%s: the log lacks it: %s", verb, stderr)
		}
		if verb == "stop" {
			last = number(p.newest(t))
			if !strings.Contains(out, "count: stopped behind checkpoint "+last+", which is pinned: ") {
				t.Errorf("stop: %s", out)
			}
		} else if !strings.Contains(printed, "resuming from checkpoint "+last) {
			t.Errorf("the job did not resume from checkpoint %s: %s", last, printed)
		}
	}
	if kept := ok(t, "checkpoints", "ls", p.url()+"/count"); !strings.Contains(kept, "pin:") {
		t.Errorf("no pin: %s", kept)
	}
}

// A program with a job of its own serves it, too.
func TestAJobOfOnesOwnIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := userJob(t)
	if err := os.MkdirAll(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	flights, err := os.ReadFile(filepath.Join("..", "testdata", "flights", "flights-20k.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "in", "flights.jsonl"), flights, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "delays"), "run", "--rate-limit", "1000", "--checkpoint-store", "file://checkpoints")
	cmd.Dir = dir
	url, _ := apiOf(t, cmd)
	if jobs := fetch(t, url+"/jobs")["jobs"].([]any); len(jobs) != 1 || jobs[0].(map[string]any)["id"] != "delays" {
		t.Errorf("jobs: %v", jobs)
	}
}
