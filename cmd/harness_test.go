package tidemarkcmd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// asCommand makes the test binary the program tidemark, for tests that need a
// process of their own.
const asCommand = "TIDEMARK_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		tidemarkcmd.Main(nil)
	}
	time.Local = time.UTC // what verbs print does not depend on the machine
	code := m.Run()
	if begunDir != "" {
		_ = os.RemoveAll(begunDir)
	}
	os.Exit(code)
}

// result is how a command ended.
type result struct {
	code        int
	out, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.code, r.out, r.stderr)
}

// tidemark runs a command line in this process, for a minute at most.
func tidemark(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("the test gave up waiting"))
	defer cancel()
	var out, stderr bytes.Buffer
	code := tidemarkcmd.Run(ctx, nil, args, &out, &stderr)
	return result{code, out.String(), stderr.String()}
}

// ok runs a command line that must succeed, and returns its standard output.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	r := tidemark(t, args...)
	if r.code != 0 {
		t.Fatalf("tidemark %s: %v", strings.Join(args, " "), r)
	}
	return r.out
}

// process prepares a command line in a process of its own.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, out, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	out, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdout, cmd.Stderr = out, stderr
	return cmd, out, stderr
}

// place is where a job has its checkpoints, output and local state.
type place struct{ dir string }

func (p place) root() string   { return filepath.Join(p.dir, "checkpoints") }
func (p place) url() string    { return "file://" + p.root() }
func (p place) output() string { return filepath.Join(p.dir, "out") }
func (p place) state() string  { return filepath.Join(p.dir, "state") }

// where are the flags that run a job in this place.
func (p place) where() []string {
	return []string{"--checkpoint-store", p.url(), "--state-dir", p.state(), "--output", p.output()}
}

// run is the command line of the job count in this place.
func (p place) run(more ...string) []string {
	return slices.Concat([]string{"run", "count", "--events", "12000", "--keys", "400", "--emit", "changes", "--digest",
		"--interval", "40ms", "--parallelism", "2"}, p.where(), more)
}

var (
	begunOnce sync.Once
	begunDir  string
	begunErr  error
)

// begun returns a place of the test's own in which the job count was stopped
// after a few checkpoints, the newest of which is the returned one.
func begun(t *testing.T) place {
	t.Helper()
	begunOnce.Do(func() {
		if begunDir, begunErr = os.MkdirTemp("", "tidemark-begun-"); begunErr == nil {
			begunErr = stopAfter(place{begunDir}, 4)
		}
	})
	if begunErr != nil {
		t.Fatal(begunErr)
	}
	p := place{t.TempDir()}
	// cp, since it copies extended attributes as well.
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", begunDir+"/.", p.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return p
}

// stopAfter runs the job, slowly, and stops it once so many checkpoints are
// complete.
func stopAfter(p place, checkpoints uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() {
		defer cancel()
		for ctx.Err() == nil {
			if ids, err := retained(ctx, p, "count"); err == nil && len(ids) > 0 && ids[len(ids)-1] >= checkpoints {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	var out, stderr bytes.Buffer
	code := tidemarkcmd.Run(ctx, nil, p.run("--rate-limit", "12000", "--stop-with", "nothing"), &out, &stderr)
	watching.Wait()
	if ids, err := retained(context.Background(), p, "count"); err != nil || len(ids) != 3 || code == 0 {
		return fmt.Errorf("the job was not stopped on its way: exit code %d, checkpoints %v, %w\n%s%s", code, ids, err, &out, &stderr)
	}
	return nil
}

func open(ctx context.Context, p place, job string) (upload.Store, error) {
	s, err := storeurl.Open(ctx, p.url(), storeurl.Options{Create: true})
	if err != nil {
		return nil, err
	}
	return upload.Prefixed(s, job), nil
}

// retained returns the ids of the job's checkpoints, oldest first.
func retained(ctx context.Context, p place, job string) ([]uint64, error) {
	s, err := open(ctx, p, job)
	if err != nil {
		return nil, err
	}
	infos, err := coordinator.List(ctx, s)
	var ids []uint64
	for _, i := range infos {
		ids = append(ids, uint64(i.ID))
	}
	return ids, err
}

// newest returns the newest checkpoint of the job count.
func (p place) newest(t *testing.T) uint64 {
	t.Helper()
	ids, err := retained(t.Context(), p, "count")
	if err != nil || len(ids) == 0 {
		t.Fatalf("checkpoints %v, %v", ids, err)
	}
	return ids[len(ids)-1]
}

// tree is every file below a directory, by name, with its content. The store's
// own locks are no content.
func tree(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case d.IsDir() && d.Name() == ".tidemark":
				return filepath.SkipDir
			case d.IsDir():
				return nil
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) { // a running process has removed it meanwhile
				return nil
			}
			all[path] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// differences names what is not the same in two trees.
func differences(before, after map[string]string) []string {
	var all []string
	for name, content := range before {
		if now, ok := after[name]; !ok {
			all = append(all, "gone: "+name)
		} else if now != content {
			all = append(all, "changed: "+name)
		}
	}
	for name := range maps.Keys(after) {
		if _, ok := before[name]; !ok {
			all = append(all, "new: "+name)
		}
	}
	slices.Sort(all)
	return all
}

// ledOnly reports whether all that happened to a head is that somebody led.
func ledOnly(t *testing.T, before, after string) bool {
	t.Helper()
	if before == "" { // and found no job there
		b, err := coordinator.DecodeHead([]byte(after))
		return err == nil && len(b.Retained) == 0
	}
	a, err := coordinator.DecodeHead([]byte(before))
	if err != nil {
		return false
	}
	b, err := coordinator.DecodeHead([]byte(after))
	if err != nil {
		return false
	}
	a.Epoch, a.Version, a.Edit, a.Writer, a.Leader = b.Epoch, b.Version, b.Edit, b.Writer, b.Leader
	x, errX := coordinator.EncodeHead(a)
	y, errY := coordinator.EncodeHead(b)
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return bytes.Equal(x, y)
}

// lines returns the rows below a directory, sorted.
func lines(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for path, content := range tree(t, dir) {
		if !strings.Contains(path, "/.pending/") && filepath.Base(path) != ".owner" {
			all = append(all, strings.Split(strings.TrimSuffix(content, "\n"), "\n")...)
		}
	}
	slices.Sort(all)
	return all
}
