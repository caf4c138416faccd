package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
)

// The test binary is tidemark itself where programEnv is set, and a tidemark
// that spoils what it did where spoilEnv names how.
const (
	programEnv = "TIDEMARK_CRASH_TEST_PROGRAM"
	spoilEnv   = "TIDEMARK_CRASH_TEST_SPOIL"
)

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) == "" {
		os.Exit(m.Run())
	}
	how := os.Getenv(spoilEnv)
	if how == "" {
		tidemarkcmd.Main(nil)
	}
	again := startedBefore()
	code := tidemarkcmd.Run(context.Background(), nil, os.Args[1:], os.Stdout, os.Stderr)
	if !again { // it may be killed yet, amid spoiling
		os.Exit(code)
	}
	if err := spoil(how); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// startedBefore reports whether this is not the first process of its job id.
func startedBefore() bool {
	dir := filepath.Dir(argument("--output"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false
	}
	f, err := os.OpenFile(filepath.Join(dir, "started"), os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return true
	}
	return f.Close() != nil
}

// self is the command line and environment that run tidemark.
func self(t *testing.T) (program, env []string) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path}, []string{programEnv + "=1"}
}

// child is a running tidemark.
type child struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
	err            error
}

// run starts tidemark; it does not outlive the test.
func run(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	program, selfEnv := self(t)
	c := &child{t: t, cmd: exec.CommandContext(t.Context(), program[0], args...), done: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), selfEnv...), env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		<-c.done
	})
	return c
}

// end waits for the child's end and returns its exit code.
func (c *child) end() int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(2 * time.Minute):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT)
		<-c.done
		c.t.Fatalf("%v hung: %s", c.cmd.Args, c.stderr.String())
	}
	return c.cmd.ProcessState.ExitCode()
}

// kill kills the child, which must be running.
func (c *child) kill() {
	c.t.Helper()
	_ = c.cmd.Process.Kill() // checked by how it ended
	<-c.done
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		c.t.Fatalf("it ended before it was killed: %v: %s", c.err, c.stderr.String())
	}
}

// result is the end of the JSON report.
type result struct {
	Digest      string
	Rows        int64
	ResumedFrom *uint64 `json:"resumed_from"`
	Checkpoints struct{ Completed int }
}

// result waits for a good end.
func (c *child) result() (r result) {
	c.t.Helper()
	if code := c.end(); code != 0 {
		c.t.Fatalf("%v: exit code %d: %s", c.cmd.Args, code, c.stderr.String())
	}
	if err := json.Unmarshal(c.stdout.Bytes(), &r); err != nil {
		c.t.Fatalf("%q: %v", c.stdout.String(), err)
	}
	return r
}

// awaitCheckpoint returns once the job has committed so many checkpoints.
func (c *child) awaitCheckpoint(job upload.Reader, id uint64) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		infos, err := coordinator.List(c.t.Context(), job)
		if err != nil && !errors.Is(err, upload.ErrNotExist) {
			c.t.Fatal(err)
		}
		if len(infos) > 0 && uint64(infos[len(infos)-1].ID) >= id {
			return
		}
		select {
		case <-tick.C:
		case <-c.done:
			c.t.Fatalf("it ended before checkpoint %d: %v: %s", id, c.err, c.stderr.String())
		}
	}
}

// newestCheckpoint returns the id of the job's newest committed checkpoint.
func newestCheckpoint(t *testing.T, job upload.Reader) uint64 {
	t.Helper()
	infos, err := coordinator.List(t.Context(), job)
	if err != nil || len(infos) == 0 {
		t.Fatalf("%d checkpoints, %v", len(infos), err)
	}
	return uint64(infos[len(infos)-1].ID)
}

// sortedLines reads the parts of an output directory.
func sortedLines(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == ".owner" || filepath.Base(filepath.Dir(path)) == ".pending" {
			return err
		}
		b, err := os.ReadFile(path)
		lines = append(lines, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sorted(lines)
}
