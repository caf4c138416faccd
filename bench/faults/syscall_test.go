package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/cmd/launch"
)

// inProcess names the directory of a trial that the test binary runs, instead
// of any test, so that another program can make its system calls fail.
const inProcess = "TIDEMARK_FAULTS_TRIAL"

// ended is how such a run ended.
type ended struct {
	Digest   uint64
	Rows     int64
	Attempts int
	Failed   int
	Error    string
}

func TestMain(m *testing.M) {
	dir := os.Getenv(inProcess)
	if dir == "" {
		os.Exit(m.Run())
	}
	got := onDisk(dir).run(context.Background(), options{tune: func(c *launch.Config) {
		// After some failures RocksDB writes nothing more until it is opened
		// anew, which a restart does: it should come soon.
		c.Checkpoints.TolerableFailures = 2
	}})
	e := ended{got.digest, got.rows, got.report.Attempts, got.report.Checkpoints.Failed, ""}
	if got.err != nil {
		e.Error = got.err.Error()
	}
	if json.NewEncoder(os.Stdout).Encode(e) != nil {
		os.Exit(1)
	}
}

// onDisk is a trial whose store is a directory as well.
func onDisk(dir string) trial { return trial{store: "file://" + filepath.Join(dir, "store"), dir: dir} }

// patience is for runs of a process, each of which takes less than a second.
const patience = 20 * time.Second

// calls are the system calls that change or list files, and what they fail
// with. RocksDB's are among them.
var calls = []struct{ names, err string }{
	{"link,linkat", "EIO"},
	{"rename,renameat,renameat2", "EIO"},
	{"mkdir,mkdirat", "ENOSPC"},
	{"unlink,unlinkat", "EIO"},
	{"fsync", "EIO"},
	{"sync_file_range", "EIO"},
	{"ftruncate,pwrite64", "ENOSPC"},
	{"getdents64", "EIO"},
	{"fsetxattr", "ENOSPC"},
	{"flock", "EIO"},
	{"write,writev", "ENOSPC"},
	{"openat", "EIO"},
}

// I3, I5, I11: the k-th system call of a kind fails, in each thread of the
// process, in the store's files, the local state or the output. The job goes
// on, or ends and goes on when it is started again; nothing is lost.
func TestFileFaults(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("system calls are made to fail by strace: apt-get install strace")
	}
	if out, err := exec.CommandContext(t.Context(), strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace may trace no process here: %v: %s", err, out)
	}
	want := begun(t).unfailing(t)
	last, stride := 16, 4
	if soak() {
		last, stride = 48, 1
	}
	var g errgroup.Group
	g.SetLimit(4)
	for i, call := range calls {
		g.Go(func() error {
			runs, went, crashed := 0, 0, 0
			for k := 1 + i%2; k <= last; k += stride {
				dir, err := os.MkdirTemp(t.TempDir(), "trial-")
				check(t, err)
				r := onDisk(dir)
				fail := func(format string, args ...any) {
					t.Errorf("%s, call %d of a thread (%s): %s", call.names, k, call.err, fmt.Sprintf(format, args...))
				}
				trace := filepath.Join(dir, "trace")
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				cmd := exec.CommandContext(ctx, strace, "-f", "-qq", "--seccomp-bpf", "-o", trace, "-e", "trace="+call.names,
					"-e", fmt.Sprintf("inject=%s:error=%s:when=%d", call.names, call.err, k), os.Args[0])
				var out, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &stderr
				// The traced process goes with its tracer.
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
				cmd.Env = append(os.Environ(), inProcess+"="+dir)
				runErr := cmd.Run()
				if ctx.Err() != nil {
					fail("it has not ended in %v: %.2000s", patience, stderr.String())
				}
				cancel()
				b, err := os.ReadFile(trace)
				check(t, err)
				if !strings.Contains(string(b), "(INJECTED)") {
					break
				}
				runs++
				var e ended
				switch {
				case runErr != nil || json.Unmarshal(out.Bytes(), &e) != nil:
					crashed++ // Go's runtime ends a process whose own calls fail, as writes to wake a thread
				case e.Error == "":
					went++
					if e.Digest != want.digest || e.Rows != want.rows {
						fail("digest %x of %d rows, want %x of %d", e.Digest, e.Rows, want.digest, want.rows)
					}
					if err := r.same(want); err != nil {
						fail("%v", err)
					}
				default:
					t.Logf("%s, call %d: ended after %d attempts: %s", call.names, k, e.Attempts, e.Error)
				}
				if next := r.run(t.Context(), options{}); next.err != nil {
					fail("the next start: %v", next.err)
				}
				if err := errors.Join(r.same(want), r.whole(t), r.exact(t)); err != nil {
					fail("after the next start and end: %v", err)
				}
				check(t, os.RemoveAll(dir))
			}
			t.Logf("%s: %d runs with a fault: %d jobs went on by themselves, %d processes crashed", call.names, runs, went, crashed)
			if runs == 0 {
				t.Errorf("%s: no run met a fault", call.names)
			}
			return nil
		})
	}
	_ = g.Wait()
}
