package tidemarkcmd_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// I3: a signal stops a run behind a last checkpoint. The run after it reads nothing again,
// and its output is that of an unbroken run.
func TestASignalTakesALastCheckpoint(t *testing.T) {
	want, _ := unbroken(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			p := place{t.TempDir()}
			stopsWithCheckpoint(t, p, p.url(), sig)
			for name := range tree(t, p.state()) {
				if filepath.Base(name) != "lock" {
					t.Errorf("local state is left: %s", name)
				}
			}
			if got := lines(t, p.output()); !slices.Equal(got, want) {
				t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
			}
		})
	}
}

// I3: the same, with the checkpoints on S3.
func TestASignalTakesALastCheckpointOnS3(t *testing.T) {
	if err := s3(t).CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	want, _ := unbroken(t)
	p := place{t.TempDir()}
	stopsWithCheckpoint(t, p, "s3://jobs/a", syscall.SIGTERM)
	if got := lines(t, p.output()); !slices.Equal(got, want) {
		t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
	}
}

// stopsWithCheckpoint runs the job in a process, signals it on its way, and runs it again to
// its end.
func stopsWithCheckpoint(t *testing.T, p place, url string, sig syscall.Signal) {
	t.Helper()
	store, err := storeurl.Open(t.Context(), url+"/count", storeurl.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	args := p.run("--checkpoint-store", url, "--rate-limit", "12000")
	cmd, out, stderr := process(t, append(slices.Clone(args), "--json")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if h, _, err := coordinator.ReadHead(t.Context(), store); err == nil && len(h.Retained) > 1 {
			break
		}
	}
	for range 3 { // as timeout(1) does, which signals a process and its group
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // or the kernel makes one of them
	}
	if code := exitCode(t, cmd); code != 0 {
		t.Fatalf("exit code %d, %s%s", code, out, stderr)
	}
	first := parse[stoppedReport](t, out.String())
	h, _, err := coordinator.ReadHead(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	last := h.Retained[len(h.Retained)-1]
	if says := fmt.Sprintf("count: stopped; the same command resumes from checkpoint %d\n", last.ID); !strings.Contains(stderr.String(), says) {
		t.Errorf("it does not say %q: %s", says, stderr)
	}
	if !first.Stopped || first.Newest != uint64(last.ID) || h.Stopped == nil || h.Stopped.Checkpoint != last.ID || h.Stopped.Reason != "interrupted" {
		t.Errorf("report %+v, head stopped %+v, newest checkpoint %d", first, h.Stopped, last.ID)
	}
	if in := recordsIn(t, store, last); first.Events == 0 || first.Events >= 12000 || in != first.Events {
		t.Errorf("it read %d records, and its last checkpoint holds %d", first.Events, in)
	}
	again := tidemark(t, append(slices.Clone(args), "--json")...)
	if again.code != 0 || !strings.Contains(again.stderr, fmt.Sprintf("was stopped at checkpoint %d (interrupted), and goes on\n", last.ID)) || !strings.Contains(again.stderr, fmt.Sprintf("resuming from checkpoint %d in", last.ID)) {
		t.Errorf("%v", again)
	}
	if second := parse[stoppedReport](t, again.out); second.Stopped || second.Events != 12000 {
		t.Errorf("report %+v", second)
	}
	if h, _, err := coordinator.ReadHead(t.Context(), store); err != nil || h.Stopped != nil {
		t.Errorf("head still says %+v, %v", h.Stopped, err)
	}
}

type stoppedReport struct {
	Stopped bool   `json:"stopped"`
	Events  int64  `json:"events"`
	Newest  uint64 `json:"newest_checkpoint"`
}

// recordsIn is how many records the sources had read at a checkpoint.
func recordsIn(t *testing.T, store upload.Reader, of coordinator.Retained) (sum int64) {
	t.Helper()
	m, err := incremental.ReadManifest(t.Context(), store, of.ID, of.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Subtasks {
		if o, _ := m.Graph.Operator(s.Operator); o.Type != "source" {
			continue
		}
		for _, state := range s.State {
			for _, item := range state.Items {
				if state.Name == "_records" {
					n, _ := binary.Uvarint(item)
					sum += int64(n)
				}
			}
		}
	}
	return sum
}

// freeze stops all writes to a directory store, until thaw is called.
func freeze(t *testing.T, p place) (thaw func()) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(p.root(), ".tidemark", "locks"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%v, %v", dirs, err)
	}
	var locks []*os.File
	for stripe := range 100 {
		f, err := os.OpenFile(filepath.Join(dirs[0], fmt.Sprintf("%02d", stripe)), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, f)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, f := range locks {
			_ = f.Close()
		}
	}
}

// I3: if the last checkpoint is not there within the grace period, the run ends without it,
// and says so. A second signal does not wait. Both times nothing is lost.
func TestALastCheckpointThatDoesNotCome(t *testing.T) {
	const noneWanted = "interrupted; the same command resumes from checkpoint "
	want, _ := unbroken(t)
	for _, c := range []struct {
		name    string
		flags   []string
		signals int
		says    string
	}{
		{"the grace period ends", []string{"--stop-grace", "100ms"}, 1, "interrupted, without a last checkpoint: last checkpoint: not within 100ms; the same command resumes from checkpoint "},
		{"a second signal", []string{"--stop-grace", "1h"}, 2, "a second signal: ended at once"},
		{"none is wanted", []string{"--stop-grace", "1h", "--stop-with", "nothing"}, 1, noneWanted},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place{t.TempDir()}
			cmd, _, stderr := process(t, p.run(append(c.flags, "--rate-limit", "12000")...)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitCheckpoint(t, p, 2)
			thaw := func() {}
			if c.says != noneWanted {
				thaw = freeze(t, p)
			}
			for range c.signals {
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond) // or the kernel makes one of the two
			}
			if code := exitCode(t, cmd); code != 130 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, %s", code, stderr)
			}
			thaw()
			ok(t, p.run()...)
			if got := lines(t, p.output()); !slices.Equal(got, want) {
				t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
			}
		})
	}
}
