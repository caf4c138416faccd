package api_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

// A checkpoint that is asked for is taken once, however often the request is sent.
func TestACheckpointIsAskedFor(t *testing.T) { // I6
	s := serve(t, api.Options{}, time.Hour)
	client := &api.Client{Server: s.url}
	until(t, "the job runs", func() bool { return get[api.JobDetails](s, "/jobs/pairs").Tidemark.Records > 0 })
	first, err := client.Checkpoint(t.Context(), "pairs", api.CheckpointRequest{TriggerID: "0123456789abcdef0123456789abcdef"})
	if err != nil || first.ID == 0 {
		t.Fatal(first, err)
	}
	again, err := client.Checkpoint(t.Context(), "pairs", api.CheckpointRequest{TriggerID: "0123456789abcdef0123456789abcdef"})
	if err != nil || again != first {
		t.Errorf("again: %+v, %v, want %+v", again, err, first)
	}
	other, err := client.Checkpoint(t.Context(), "pairs", api.CheckpointRequest{})
	if err != nil || other.ID <= first.ID {
		t.Errorf("another: %+v, %v", other, err)
	}
	x, err := client.Checkpoints(t.Context(), "pairs")
	if err != nil || x.Counts.Completed != 2 || x.Latest.Completed.Tidemark.Kind != "manual" {
		t.Errorf("checkpoints: %+v, %v", x, err)
	}
	for _, c := range []struct {
		body string
		want int
	}{{`{"checkpointType":"FULL"}`, 400}, {`{"triggerId":"a/b"}`, 400}, {`{"triggerId":"config"}`, 400}, {`{"triggerId":7}`, 400}, {`[`, 400}} {
		if status, body := s.do("POST", "/jobs/pairs/checkpoints", c.body); status != c.want {
			t.Errorf("%s: %d: %s", c.body, status, body)
		}
	}
	if status, _ := s.do("GET", "/jobs/pairs/checkpoints/never-asked", ""); status != http.StatusNotFound {
		t.Errorf("an unknown request: %d", status)
	}
}

// The retention is planned, changed and told, in head.
func TestRetentionIsChanged(t *testing.T) {
	s := serve(t, api.Options{}, time.Hour)
	client := &api.Client{Server: s.url}
	for range 3 {
		if _, err := client.Checkpoint(t.Context(), "pairs", api.CheckpointRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := client.SetRetention(t.Context(), "pairs", api.RetentionRequest{Policy: "newest=1", DryRun: true})
	if err != nil || plan.Applied || len(plan.Dropped) != 2 {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	if now, err := client.Retention(t.Context(), "pairs"); err != nil || now.Policy != "newest=3" || len(now.Retained) != 3 {
		t.Errorf("before: %+v, %v", now, err)
	}
	done, err := client.SetRetention(t.Context(), "pairs", api.RetentionRequest{Policy: "newest=1"})
	if err != nil || !done.Applied || len(done.Dropped) != 2 {
		t.Errorf("applied: %+v, %v", done, err)
	}
	if now, err := client.Retention(t.Context(), "pairs"); err != nil || now.Policy != "newest=1" || len(now.Retained) != 1 {
		t.Errorf("after: %+v, %v", now, err)
	}
	if log := s.log.String(); !strings.Contains(log, `answer.applied=true answer.policy="newest=1" answer.dropped="[1 2]"`) || strings.Count(log, "a write through the API is done") != 3 {
		t.Errorf("the log does not say what was written: %s", log)
	}
	_, err = client.SetRetention(t.Context(), "pairs", api.RetentionRequest{Policy: "sometimes"})
	if failed, ok := errors.AsType[*api.ClientError](err); !ok || failed.Status != http.StatusBadRequest || !strings.Contains(err.Error(), "sometimes") {
		t.Errorf("nonsense: %v", err)
	}
}

// A job is stopped behind a checkpoint that is pinned under the id of the request, which
// may be sent twice, and whoever asked learns what became of it.
func TestAJobIsStopped(t *testing.T) { // I6
	s := serve(t, api.Options{}, time.Hour)
	client := &api.Client{Server: s.url}
	until(t, "the job runs", func() bool { return get[api.JobDetails](s, "/jobs/pairs").Tidemark.Records > 0 })
	if status, body := s.do("POST", "/jobs/pairs/stop", `{"drain":true}`); status != http.StatusBadRequest {
		t.Errorf("drain: %d: %s", status, body)
	}
	request := `{"drain":false,"targetDirectory":"s3://bucket/savepoints","triggerId":"upgrade-7"}`
	for range 2 {
		status, body := s.do("POST", "/jobs/pairs/stop", request)
		if err := s.document().answers(s.document().operation("POST", "/jobs/{job}/stop"), status, body); err != nil || status != http.StatusAccepted || !strings.Contains(string(body), `"upgrade-7"`) {
			t.Errorf("stop: %d: %s, %v", status, body, err)
		}
	}
	x, err := client.Stop(t.Context(), "pairs", api.StopRequest{TriggerID: "upgrade-7"})
	if err != nil || x.ID != 1 || !strings.HasSuffix(x.Location, "/manifests/1-1") {
		t.Fatalf("%+v, %v", x, err)
	}
	h, _, err := coordinator.ReadHead(t.Context(), s.store)
	if err != nil || len(h.Pins) != 1 || h.Pins[0].Name != "upgrade-7" || h.Pins[0].Checkpoint != 1 || h.Stopped == nil || h.Stopped.Checkpoint != 1 {
		t.Errorf("head: pins %+v, stopped %+v, %v", h.Pins, h.Stopped, err)
	}
	if err := <-s.stopped; !errors.Is(err, checkpoint.ErrStopped) {
		t.Errorf("the job ended with %v", err)
	}
	s.stopped <- nil
}

// A job is cancelled without a checkpoint, once.
func TestAJobIsCancelled(t *testing.T) {
	for interval, what := range map[time.Duration]string{time.Hour: "with checkpoints", 0: "without"} {
		s := serve(t, api.Options{}, interval)
		if status, body := s.do("PATCH", "/jobs/pairs?mode=stop", ""); status != http.StatusBadRequest {
			t.Errorf("%s: mode stop: %d: %s", what, status, body)
		}
		d := s.document()
		status, body := s.do("PATCH", "/jobs/pairs?mode=cancel", "")
		if err := d.answers(d.operation("PATCH", "/jobs/{job}"), status, body); err != nil || status != http.StatusAccepted {
			t.Errorf("%s: %d: %s, %v", what, status, body, err)
		}
		if err := <-s.stopped; !errors.Is(err, checkpoint.ErrCancelled) {
			t.Errorf("%s: the job ended with %v", what, err)
		}
		s.stopped <- nil
		if !strings.Contains(s.log.String(), "method=PATCH") {
			t.Errorf("%s: the log lacks it: %s", what, s.log)
		}
	}
}

// The end of a job does not wait for a long request, which is cut short.
func TestALongRequestDoesNotHoldUpTheEnd(t *testing.T) {
	s := serve(t, api.Options{OpenAdmin: true}, 0)
	asked := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/debug/pprof/trace?seconds=60", nil)
		if err == nil {
			var answer *http.Response
			if answer, err = http.DefaultClient.Do(r); err == nil {
				asked <- nil
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				return
			}
		}
		asked <- err
	}()
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	s.cancel(checkpoint.ErrCancelled)
	if err := <-s.stopped; !errors.Is(err, checkpoint.ErrCancelled) {
		t.Error(err)
	}
	s.stopped <- nil
	if strings.Contains(s.log.String(), "were cut") || strings.Contains(s.log.String(), "go on after") {
		t.Errorf("the request did not end by itself: %s", s.log)
	}
}
