package crash_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// I1, I2, I4: of two processes that run one job, the later one leads. The
// earlier, which was stopped and wakes up when all is done, commits, publishes
// and deletes nothing, and says why it ends.
func TestTwoProcesses(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := s3server.ForTest(t)
	if err := server.CreateBucket("fence"); err != nil {
		t.Fatal(err)
	}
	opened, err := s3store.Open(t.Context(), s3store.Options{
		Bucket: "fence", Endpoint: server.Endpoint(), Region: s3server.Region, AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, job := range []struct {
		name string
		args []string
	}{
		{"q18", []string{"q18"}},
		{"q17", []string{"q17", "--emit", "final"}},
	} {
		t.Run(job.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			runs := func(id, state, output string) *child {
				args := append([]string{"run"}, job.args...)
				return run(t, server.Env(), append(args, "--events", "30000", "--rate-limit", "12000", "--checkpoint-store", "s3://fence", "--job-id", id,
					"--state-dir", filepath.Join(dir, state), "--output", filepath.Join(dir, output), "--interval", "100ms", "--parallelism", "2", "--json")...)
			}
			runs(job.name+"-reference", "reference-state", "reference").result()
			want := sortedLines(t, filepath.Join(dir, "reference"))

			store := upload.Prefixed(opened, job.name)
			first := runs(job.name, "first", "out")
			first.awaitCheckpoint(store, 1)
			if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			second := runs(job.name, "second", "out").result()
			if second.ResumedFrom == nil || *second.ResumedFrom < 1 {
				t.Errorf("the second process did not go on where the first was: %+v", second)
			}
			committed, err := coordinator.List(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if code := first.end(); code != 1 || !strings.Contains(first.stderr.String(), "another process leads this job now") {
				t.Errorf("the first process ended with exit code %d: %s", code, first.stderr.String())
			}
			now, err := coordinator.List(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(committed, now, func(a, b coordinator.CheckpointInfo) bool { return a.ID == b.ID && a.Epoch == b.Epoch }) {
				t.Errorf("checkpoints were %v, and are %v after the first process ended", committed, now)
			}
			if got := sortedLines(t, filepath.Join(dir, "out")); !slices.Equal(got, want) {
				t.Errorf("%d rows, which are not the %d of a run without failure", len(got), len(want))
			}
			for _, info := range now {
				m, err := incremental.ReadManifest(t.Context(), store, info.ID, info.Epoch)
				if err != nil {
					t.Fatal(err)
				}
				if r, err := incremental.Verify(t.Context(), store, m, incremental.VerifyOptions{}); err != nil || !r.OK() {
					t.Errorf("checkpoint %v: %+v, %v", info.ID, r, err)
				}
			}

			// A third process finds nothing to do, and tidies up.
			runs(job.name, "third", "out").result()
			if got := sortedLines(t, filepath.Join(dir, "out")); !slices.Equal(got, want) {
				t.Errorf("after another start: %d rows, which are not the %d of a run without failure", len(got), len(want))
			}
			reachable, err := coordinator.Reachable(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			for info, err := range store.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := reachable[info.Name]; !ok && info.Name != incremental.HeadName {
					t.Errorf("nothing reaches %s", info.Name)
				}
			}
			if left, err := os.ReadDir(filepath.Join(dir, "out", ".pending")); err != nil || len(left) > 0 {
				t.Errorf("left unpublished: %v, %v", left, err)
			}
		})
	}
}
