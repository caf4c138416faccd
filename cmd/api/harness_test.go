package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) } // I12

// served is a running job with its server.
type served struct {
	t       *testing.T
	url     string
	job     api.Job
	store   upload.Store
	log     *logBuffer
	cancel  context.CancelCauseFunc
	stopped chan error // the end of the job
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve runs the job "pairs", whose vertices are in (and double) and out, slowly, and serves it.
func serve(t *testing.T, o api.Options, interval time.Duration) *served {
	t.Helper()
	j := engine.NewJob("pairs")
	numbers := make([]int, 100_000)
	in := engine.From(j, "in", enginetest.FromSlice(numbers...).Slowly(10, time.Millisecond))
	doubled := engine.Map(in, "double", func(n int) int { return 2 * n })
	doubled.Rebalance().To("out", enginetest.Discard[int]())

	s := &served{t: t, log: &logBuffer{}, store: upload.Prefixed(memstore.New(), "pairs"), stopped: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	server, err := api.Listen(t.Context(), o, log)
	if err != nil {
		t.Fatal(err)
	}
	graph := j.Graph(2)
	ctx, cancel := context.WithCancelCause(context.Background())
	s.url, s.cancel = server.URL(), cancel
	metrics := &engine.Metrics{}
	s.job = api.Job{
		ID: "pairs", Graph: graph, Started: time.Now(), Metrics: metrics, Cancel: func() { cancel(checkpoint.ErrCancelled) },
		Checkpoints: api.CheckpointConfig{Mode: "exactly_once", IntervalMS: interval.Milliseconds()},
	}
	config := engine.Config{Parallelism: 2, Metrics: metrics, Logger: log}
	var lead *coordinator.Coordinator
	if interval > 0 {
		lead, err = coordinator.Open(ctx, coordinator.Options{Store: s.store, Job: "pairs", Graph: graph, Interval: interval, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		config.Coordinator, s.job.Coordinator, s.job.Store = lead, lead, s.store
	}
	server.Serve(s.job)
	go func() {
		_, err := engine.Run(ctx, j, config)
		closing, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		server.Ended(api.Finished)
		server.Close(closing)
		if lead != nil {
			err = errors.Join(err, lead.Close(closing))
		}
		s.stopped <- err
	}()
	t.Cleanup(func() {
		cancel(checkpoint.ErrCancelled)
		if err := <-s.stopped; err != nil && !errors.Is(err, checkpoint.ErrCancelled) {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

// do sends a request, and returns status and body. header is "Name: value".
func (s *served) do(method, path, body string, header ...string) (int, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, b
}

// get decodes the answer to a GET that must succeed.
func get[T any](s *served, path string) (v T) {
	s.t.Helper()
	status, body := s.do("GET", path, "")
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d: %s", path, status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// until waits for something that comes soon.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// checkpointed waits until so many checkpoints are complete.
func (s *served) checkpointed(n int64) api.CheckpointStatistics {
	s.t.Helper()
	var x api.CheckpointStatistics
	until(s.t, "checkpoints", func() bool {
		x = get[api.CheckpointStatistics](s, "/jobs/pairs/checkpoints")
		return x.Counts.Completed >= n
	})
	return x
}
