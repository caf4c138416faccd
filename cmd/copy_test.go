package tidemarkcmd_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// Within a bucket the server copies; from there to a directory the bytes are relayed. Each
// copy is whole, and goes on as a job of its own.
func TestCopy(t *testing.T) { // I1
	server := s3(t)
	if err := server.CreateBucket("copies"); err != nil {
		t.Fatal(err)
	}
	p := place{t.TempDir()}
	run := func(p place, store, job string) []string {
		return []string{"run", "q18", "--events", "3000", "--interval", "40ms", "--state-dir", p.state(), "--checkpoint-store", store, "--job-id", job}
	}
	ok(t, append(run(p, "s3://copies/a", "count"), "--rate-limit", "20000")...)
	if text := ok(t, "checkpoints", "copy", "s3://copies/a/count", "s3://copies/b c/fork"); !strings.Contains(text, "job fork has ") || strings.Contains(text, "the server copied 0,") {
		t.Errorf("copy says %s", text)
	}
	ok(t, "checkpoints", "verify", "s3://copies/b c/fork")
	dir := "file://" + filepath.Join(p.dir, "backup", "back")
	if text := ok(t, "checkpoints", "copy", "s3://copies/b c/fork", dir); !strings.Contains(text, "the server copied 0,") {
		t.Errorf("copy says %s", text)
	}
	ok(t, "checkpoints", "verify", dir)
	says(t, tidemark(t, "checkpoints", "copy", "s3://copies/a/count", dir), 1, "there is something already: a head")
	says(t, tidemark(t, "checkpoints", "copy", "s3://copies/a", "s3://copies/a/count"), 2, "lie in one another")
	if text := ok(t, run(place{t.TempDir()}, "s3://copies/b c", "fork")...); !strings.Contains(text, "fork: finished: checkpoint ") {
		t.Errorf("the copy does not go on: %s", text)
	}
	ok(t, "checkpoints", "verify", "s3://copies/a/count")
}
