package tidemarkcmd_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// says fails the test unless the command ended with code and its standard
// error holds all of the texts.
func says(t *testing.T, r result, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if t.Failed() {
		t.Log(r)
	}
}

// s3 starts a server, and points the environment to it.
func s3(t *testing.T) *s3server.Server {
	t.Helper()
	s := s3server.ForTest(t)
	for _, kv := range s.Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	return s
}

func TestMissingBucket(t *testing.T) {
	s := s3(t)
	p := place{t.TempDir()}
	before := tree(t, s.BucketDir(""))
	r := tidemark(t, p.run("--checkpoint-store", "s3://no-such-bucket/jobs")...)
	says(t, r, 1, "s3://no-such-bucket/jobs", "bucket does not exist", "create it, or correct its URL")
	if d := differences(before, tree(t, s.BucketDir(""))); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
	says(t, tidemark(t, "checkpoints", "ls", "s3://no-such-bucket/jobs/count"), 1, "s3://no-such-bucket/jobs", "bucket does not exist", "create it")
}

func TestWrongCredentials(t *testing.T) {
	s := s3(t)
	if err := s.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	p := place{t.TempDir()}
	ok(t, p.run("--checkpoint-store", "s3://jobs/a", "--events", "2000")...)
	before := tree(t, s.BucketDir("jobs"), p.output())
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	says(t, tidemark(t, p.run("--checkpoint-store", "s3://jobs/a")...), 1, "s3://jobs/a", "access denied", "AWS_ACCESS_KEY_ID")
	says(t, tidemark(t, "checkpoints", "verify", "s3://jobs/a/count"), 1, "s3://jobs/a/count", "access denied", "AWS_ACCESS_KEY_ID")
	if d := differences(before, tree(t, s.BucketDir("jobs"), p.output())); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
}

// Nobody listens: the command ends by itself, and says where it knocked.
func TestUnreachableEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_REGION", "us-east-1")
	p := place{t.TempDir()}
	start := time.Now()
	r := tidemark(t, p.run("--checkpoint-store", "s3://jobs/a", "--s3-endpoint", endpoint)...)
	says(t, r, 1, "s3://jobs/a", "connection refused", "what to do", "correct its URL")
	t.Logf("after %v: %s", time.Since(start), r.stderr)
	if d := tree(t, p.dir); len(d) > 0 {
		t.Errorf("something was written: %q", differences(nil, d))
	}
}

// A store that takes no data object, as with credentials that lack a permission or have
// expired since the start, ends the job once its input has: nothing else would be tried.
func TestStoreThatRefusesAtTheEnd(t *testing.T) { // I11
	s := s3(t)
	if err := s.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	endpoint := between(t, s, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/data/") &&
			respond(w, r, http.StatusForbidden, `<Error><Code>ExpiredToken</Code><Message>as the test wants it</Message></Error>`)
	})
	p := place{t.TempDir()}
	r := tidemark(t, p.run("--checkpoint-store", "s3://jobs/a", "--s3-endpoint", endpoint, "--events", "2000")...)
	says(t, r, 1, "checkpoints in a row failed", "access denied", "what to do: let the store take it", "resumes")
}

const goodLine = `{"date":"2001/01/01 00:47","delay":66,"distance":1750,"origin":"DTW","destination":"LAS"}`

func malformed(t *testing.T, p place, bad string) string {
	t.Helper()
	input := filepath.Join(p.dir, "flights.jsonl")
	if err := os.WriteFile(input, []byte(goodLine+"\n"+goodLine+"\n"+bad+"\n"+goodLine+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return input
}

// A malformed line is refused with its place, or skipped and counted, or kept.
func TestMalformedLine(t *testing.T) {
	for name, bad := range map[string]string{
		"type":    `{"delay":"late","distance":1750,"origin":"DTW","destination":"LAS"}`,
		"syntax":  `{"delay":66,`,
		"missing": `{"delay":66,"distance":1750,"origin":"DTW"}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := place{t.TempDir()}
			input := malformed(t, p, bad)
			args := slices.Concat([]string{"run", "flights", "--input", input, "--interval", "40ms"}, p.where())
			says(t, tidemark(t, args...), 1, input+" line 3", map[string]string{"type": "delay", "syntax": "unexpected end", "missing": "destination"}[name], "correct the input, or let the source skip")
			if rows := lines(t, p.output()); len(rows) > 0 {
				t.Errorf("rows were published: %q", rows)
			}
			out := ok(t, append(args, "--on-malformed", "skip")...)
			if !strings.Contains(out, "1 malformed input records were skipped") {
				t.Errorf("it does not say what was skipped: %s", out)
			}
			if rows := lines(t, filepath.Join(p.output(), "routes")); len(rows) != 1 || !strings.Contains(rows[0], `"flights":3`) {
				t.Errorf("routes %q, want one of 3 flights", rows)
			}
			p = place{t.TempDir()}
			bads := filepath.Join(p.dir, "bad")
			args = slices.Concat([]string{"run", "flights", "--input", input, "--interval", "40ms", "--on-malformed", "quarantine:" + bads}, p.where())
			if out := ok(t, args...); !strings.Contains(out, "1 malformed input records were skipped, and are kept in "+bads) || !strings.Contains(out, "3 events, 1 rows") {
				t.Errorf("it does not say what was kept: %s", out)
			}
			var kept source.Quarantined
			if rows := lines(t, bads); len(rows) != 1 || json.Unmarshal([]byte(rows[0]), &kept) != nil || kept.Text != bad || kept.Line != 3 || kept.File != input {
				t.Errorf("kept %q, want %q", rows, bad)
			}
		})
	}
}
