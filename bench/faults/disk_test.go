package faults_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
)

// small mounts a file system of a few MiB on dir for the time of the test, or
// skips the test.
func small(t *testing.T, dir string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tidemark-test", dir).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
}

// fill takes all room of a file system, and returns what gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	check(t, err)
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(zeros)
	}
	for n := len(zeros); n > 0; n /= 2 { // the last bytes, too
		for err = nil; err == nil; {
			_, err = f.Write(zeros[:n])
		}
	}
	if errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	check(t, f.Close())
	return func() { check(t, os.Remove(path)) }
}

// I11: the disk is full, under the local state or under the output, until two
// checkpoints have failed for it; or local state vanishes, with or without the
// directory that all attempts share. The job goes on, and
// ends as if nothing had been.
func TestDiskFaults(t *testing.T) {
	want := begun(t).unfailing(t)
	for _, disk := range []struct {
		name string
		on   func(r trial) string // mounted; empty: none
		harm func(t *testing.T, r trial) (mend func())
	}{
		{"full local state", func(r trial) string { return filepath.Join(r.dir, "state") },
			func(t *testing.T, r trial) func() { return fill(t, filepath.Join(r.dir, "state")) }},
		{"full output", trial.output,
			func(t *testing.T, r trial) func() { return fill(t, r.output()) }},
		{"vanished local state", nil, func(t *testing.T, r trial) func() {
			subtasks, err := filepath.Glob(filepath.Join(r.dir, "state", "*", "*-count-*"))
			check(t, err)
			for _, dir := range subtasks {
				check(t, os.RemoveAll(dir))
			}
			return func() {}
		}},
		{"vanished state directory", nil, func(t *testing.T, r trial) func() {
			check(t, os.RemoveAll(filepath.Join(r.dir, "state")))
			return func() {}
		}},
	} {
		t.Run(disk.name, func(t *testing.T) {
			// A job that ends before it meets the fault proves nothing: it runs
			// again, slower.
			for rate := 15_000.0; !diskFault(t, want, rate, disk.on, disk.harm); rate /= 4 {
				if rate < 50 {
					t.Fatal("nothing failed")
				}
			}
		})
	}
}

// diskFault runs the job, does harm once two checkpoints are complete, mends it
// once two have failed, and checks all that has to hold. It reports whether
// something failed.
func diskFault(t *testing.T, want expect, rate float64, on func(trial) string, harm func(*testing.T, trial) (mend func())) bool {
	t.Helper()
	r := onDisk(t.TempDir())
	if on != nil {
		small(t, on(r))
	}
	var mu sync.Mutex // the listener's calls come one at a time, but from several goroutines
	completed, aborted := 0, 0
	var mend func()
	var reason error
	got := r.run(t.Context(), options{tune: func(c *launch.Config) {
		c.Engine.RateLimit = rate
		c.Checkpoints.TolerableFailures = 3
		c.Checkpoints.Listener.Ended = func(report coordinator.Report) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case report.Err == nil:
				if completed++; completed == 2 {
					mend = harm(t, r)
				}
			case mend != nil:
				reason = report.Err
				if aborted++; aborted == 2 {
					mend()
				}
			}
		}
	}})
	if mend != nil && aborted < 2 {
		mend()
	}
	t.Logf("%v records a second: %d checkpoints completed, %d aborted, %d attempts; the last failure: %v", rate, completed, aborted, got.report.Attempts, reason)
	if got.err != nil || got.digest != want.digest || got.rows != want.rows {
		t.Errorf("digest %x of %d rows, want %x of %d; %v", got.digest, got.rows, want.digest, want.rows, got.err)
	}
	if err := errors.Join(r.same(want), r.whole(t)); err != nil {
		t.Error(err)
	}
	if next := r.run(t.Context(), options{}); next.err != nil {
		t.Errorf("the next start: %v", next.err)
	}
	if err := errors.Join(r.same(want), r.whole(t), r.exact(t)); err != nil {
		t.Errorf("after the next start and end: %v", err)
	}
	return aborted > 0 || got.report.Attempts > 1 || t.Failed()
}
