package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

const (
	jobName = "count"
	// requestTimeout is when a request that hangs is given up. Nothing is
	// asserted of time: a slow machine aborts a few more checkpoints.
	requestTimeout    = 500 * time.Millisecond
	checkpointTimeout = time.Second
)

// trial is a place where the job runs: its store, output and local state.
type trial struct {
	store string // URL
	dir   string
}

func (r trial) output() string { return filepath.Join(r.dir, "out") }

// options of one run of the job.
type options struct {
	decorate func(upload.Store) upload.Store
	retry    upload.RetryOptions
	tune     func(*launch.Config)
}

// outcome is how a run ended.
type outcome struct {
	report launch.Report
	digest uint64
	rows   int64
	err    error
}

// run runs the job in the trial's place until it ends.
func (r trial) run(ctx context.Context, o options) outcome {
	job, results, err := jobs.Build(jobName, jobs.Options{
		Events: 2400, Keys: 300, Emit: jobs.Changes, Digest: true, Output: r.output(),
	})
	if err != nil {
		return outcome{err: err}
	}
	c := launch.Config{
		Job: job, Store: r.store, StateDir: filepath.Join(r.dir, "state"), Interval: 30 * time.Millisecond,
		Decorate: o.decorate, Retry: o.retry, Rocks: rocks.Options{TableBytes: 1 << 20},
		Checkpoints: coordinator.Options{Retention: coordinator.RetentionPolicy{Newest: 2}, Timeout: checkpointTimeout, RequestTimeout: requestTimeout},
		Engine: engine.Config{
			Parallelism: 2, RateLimit: 15_000, BatchRecords: 32,
			Restart: engine.FixedDelay{Attempts: 5, Delay: time.Millisecond},
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if o.tune != nil {
		o.tune(&c)
	}
	report, err := launch.Run(ctx, c)
	digest, rows := results.Digest.Sum()
	return outcome{report, digest, rows, err}
}

var errEnough = errors.New("stopped by the test")

// begun makes a trial in which the job was stopped after a few checkpoints.
func begun(t *testing.T) trial {
	t.Helper()
	r := trial{store: newStore(t), dir: t.TempDir()}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	completed := 0
	got := r.run(ctx, options{tune: func(c *launch.Config) {
		c.Checkpoints.Listener.Ended = func(r coordinator.Report) {
			if r.Err == nil {
				if completed++; completed == 2 {
					cancel(errEnough)
				}
			}
		}
	}})
	if !errors.Is(got.err, errEnough) {
		t.Fatalf("the job was not stopped on its way: %v", got.err)
	}
	return r
}

// expect is what a run without failure gives.
type expect struct {
	digest uint64
	rows   int64
	lines  []string
}

var stores atomic.Int64

// newStore returns the URL of a store in memory that no other trial of the process has.
func newStore(t *testing.T) string {
	return fmt.Sprintf("mem://%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), stores.Add(1))
}

// again returns a copy of a trial, in memory and below dir, for a run of its
// own, and a function that frees it.
func (r trial) again(t *testing.T) (trial, func()) {
	t.Helper()
	dir, err := os.MkdirTemp(r.dir, "trial-")
	check(t, err)
	c := trial{store: newStore(t), dir: dir}
	if _, err := os.Stat(r.output()); err == nil {
		check(t, os.CopyFS(c.output(), os.DirFS(r.output())))
		check(t, os.Remove(filepath.Join(c.output(), ".owner"))) // the store of the copy is another
	}
	from, to := r.open(t), c.open(t)
	for _, info := range list(t, from) {
		b, _, err := upload.ReadAll(t.Context(), from, info.Name, 1<<30)
		check(t, err)
		_, err = to.Put(t.Context(), info.Name, upload.BodyFromBytes(b), upload.PutOptions{})
		check(t, err)
	}
	return c, func() {
		for _, info := range list(t, to) {
			check(t, to.Delete(context.WithoutCancel(t.Context()), info.Name))
		}
		check(t, os.RemoveAll(dir))
	}
}

// open opens the job's part of the store.
func (r trial) open(t *testing.T) upload.Store {
	t.Helper()
	s, err := storeurl.Open(t.Context(), r.store, storeurl.Options{Create: true})
	check(t, err)
	return upload.Prefixed(s, jobName)
}

func list(t *testing.T, r upload.Reader) []upload.Info {
	t.Helper()
	var all []upload.Info
	for info, err := range r.List(context.WithoutCancel(t.Context()), "") {
		check(t, err)
		all = append(all, info)
	}
	return all
}

// check is safe in any goroutine of a test, unlike Fatal.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// whole reads every retained checkpoint and says what is wrong (I1).
func (r trial) whole(t *testing.T) error {
	store := r.open(t)
	infos, err := coordinator.List(t.Context(), store)
	if err != nil {
		return err
	}
	if len(infos) == 0 {
		return errors.New("no checkpoint is retained")
	}
	for _, i := range infos {
		m, err := incremental.ReadManifest(t.Context(), store, i.ID, i.Epoch)
		if err != nil {
			return err
		}
		v, err := incremental.Verify(t.Context(), store, m, incremental.VerifyOptions{})
		if err != nil {
			return err
		}
		if !v.OK() {
			return fmt.Errorf("checkpoint %d: damaged: %v", i.ID, v.Damaged)
		}
	}
	return nil
}

// exact says how the store differs from what is reachable (I5).
func (r trial) exact(t *testing.T) error {
	store := r.open(t)
	reach, err := coordinator.Reachable(t.Context(), store)
	if err != nil {
		return err
	}
	var extra []string
	for _, info := range list(t, store) {
		if _, ok := reach[info.Name]; !ok && info.Name != incremental.HeadName {
			extra = append(extra, info.Name)
		}
		delete(reach, info.Name)
	}
	for name, err := range store.Uploads(t.Context(), "") {
		if err != nil {
			return err
		}
		extra = append(extra, "upload of "+name)
	}
	if len(extra) > 0 || len(reach) > 0 {
		return fmt.Errorf("unreachable objects %q, missing ones %q", extra, slices.Sorted(maps.Keys(reach)))
	}
	return nil
}

// lines returns the published rows, sorted.
func (r trial) lines() ([]string, error) {
	var all []string
	err := filepath.WalkDir(r.output(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".pending":
			return filepath.SkipDir
		case d.IsDir() || d.Name() == ".owner":
			return nil
		}
		b, err := os.ReadFile(path)
		all = append(all, strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")...)
		return err
	})
	slices.Sort(all)
	return all, err
}

// same says how what a run published differs from what it should be (I3).
func (r trial) same(want expect) error {
	got, err := r.lines()
	if err != nil {
		return err
	}
	if !slices.Equal(trimmed(got), trimmed(want.lines)) {
		return fmt.Errorf("%d rows were published that are not the %d of a run without failure", len(got), len(want.lines))
	}
	return nil
}

func trimmed(lines []string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, strings.TrimSuffix(l, "\n"))
	}
	slices.Sort(out)
	return out
}

// unfailing runs a copy of the trial to its end without a fault.
func (r trial) unfailing(t *testing.T) expect {
	t.Helper()
	c, free := r.again(t)
	defer free()
	got := c.run(t.Context(), options{})
	lines, err := c.lines()
	if got.err != nil || err != nil || got.rows != 2400 || len(lines) != 2400 {
		t.Fatalf("a run without failure: %v, %v, digest of %d rows, %d lines", got.err, err, got.rows, len(lines))
	}
	if err := c.exact(t); err != nil {
		t.Fatalf("a run without failure: %v", err)
	}
	return expect{got.digest, got.rows, lines}
}
