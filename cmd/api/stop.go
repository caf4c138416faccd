package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tidemark/tidemark/coordinator"
)

// pinTimeout bounds how long it may take to pin the last checkpoint of a job.
const pinTimeout = 30 * time.Second

// StopRequest asks for the end of the job, behind a last checkpoint.
type StopRequest struct {
	Drain     bool   `json:"drain,omitempty" doc:"must be false"`
	Target    string `json:"targetDirectory,omitempty" doc:"means nothing: the checkpoint lies in the job's store, as location says"`
	Format    string `json:"formatType,omitempty" doc:"means nothing"`
	TriggerID string `json:"triggerId,omitempty" doc:"the request id, and the name of the checkpoint's pin; empty: a new one"`
}

// StopOutcome is the end of a stop.
type StopOutcome struct {
	Location     string        `json:"location" doc:"the checkpoint's manifest; empty: it failed, and the job goes on"`
	ID           uint64        `json:"checkpointId"`
	FailureCause *FailureCause `json:"failure-cause,omitempty" doc:"absent: the job has stopped"`
}

func (s *Server) stop(r *http.Request) (any, error) {
	c, err := s.coordinator()
	if err != nil {
		return nil, err
	}
	var body StopRequest
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	if body.Drain {
		return nil, failed(http.StatusBadRequest, "drain: a job cannot be drained yet")
	}
	reason := "stopped through the API by " + callerOf(r).name
	return s.begin(r, body.TriggerID, true, func(ctx context.Context, id string) (uint64, error) {
		last, err := c.Stop(ctx, true, reason)
		if err == nil {
			err = s.pin(ctx, coordinator.Pin{Name: id, Checkpoint: last, Reason: reason})
		}
		return uint64(last), err
	})
}

// pin keeps the last checkpoint of a stopped job: it stands for the savepoint that Flink's
// users ask for. The job's end does not cut it short.
func (s *Server) pin(ctx context.Context, p coordinator.Pin) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pinTimeout)
	defer cancel()
	if _, err := coordinator.EditHead(ctx, s.job.Store, coordinator.AddPin(p)); err != nil {
		return fmt.Errorf("the job has stopped behind checkpoint %d, but that is not pinned: %w", p.Checkpoint, err)
	}
	return nil
}

func (s *Server) stopStatus(r *http.Request) (any, error) {
	t, err := s.triggers.look(r.PathValue("request"), true)
	if err != nil {
		return nil, err
	}
	outcome := StopOutcome{ID: t.checkpoint, FailureCause: causeOf(t.err)}
	if t.done && t.err == nil {
		for _, kept := range s.job.Coordinator.Status().Retained {
			if uint64(kept.ID) == t.checkpoint {
				outcome.Location = s.path(kept.Ref())
			}
		}
	}
	return statusOf(t, outcome), nil
}

// cancel ends the job without a checkpoint.
func (s *Server) cancel(r *http.Request) (any, error) {
	if mode := r.URL.Query().Get("mode"); mode != "" && mode != "cancel" {
		return nil, failed(http.StatusBadRequest, "mode %q: use cancel, or POST /jobs/%s/stop", mode, s.job.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.cancelling && s.mu.ended == "" {
		s.mu.cancelling, s.mu.at = true, time.Now()
		s.job.Cancel()
	}
	return struct{}{}, nil
}
