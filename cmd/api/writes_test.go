package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
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
	}{{`{"checkpointType":"FULL"}`, 400}, {`{"triggerId":"a/b"}`, 400}, {`{"triggerId":7}`, 400}, {`[`, 400}} {
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
	_, err = client.SetRetention(t.Context(), "pairs", api.RetentionRequest{Policy: "sometimes"})
	if failed, ok := errors.AsType[*api.ClientError](err); !ok || failed.Status != http.StatusBadRequest || !strings.Contains(err.Error(), "sometimes") {
		t.Errorf("nonsense: %v", err)
	}
}
