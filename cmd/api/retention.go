package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/upload"
)

// RetentionRequest changes the retention of a job.
type RetentionRequest struct {
	Policy string `json:"policy" doc:"a number of newest checkpoints, or rules such as newest=3,daily=7"`
	DryRun bool   `json:"dry_run,omitempty" doc:"only say what it would keep and drop"`
}

// Edited is what an edit makes, or would make, of what a job retains.
type Edited struct {
	Applied  bool     `json:"applied" doc:"false: it is a plan"`
	Policy   string   `json:"policy"`
	Retained []Kept   `json:"retained"`
	Dropped  []uint64 `json:"dropped"`
}

// LogValue implements slog.LogValuer.
func (e Edited) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("applied", e.Applied), slog.String("policy", e.Policy), slog.Any("dropped", e.Dropped))
}

// Kept is a retained checkpoint and why it is kept.
type Kept struct {
	ID     uint64   `json:"id"`
	KeptBy []string `json:"kept_by"`
}

// NewEdited describes an edit of head.
func NewEdited(e coordinator.Edited, applied bool) Edited {
	x := Edited{Applied: applied, Retained: []Kept{}, Dropped: []uint64{}}
	if e.After.Policy != nil {
		x.Policy = e.After.Policy.String()
	}
	for _, r := range e.After.Retained {
		x.Retained = append(x.Retained, Kept{uint64(r.ID), r.KeptBy})
	}
	for _, r := range e.Dropped {
		x.Dropped = append(x.Dropped, uint64(r.ID))
	}
	return x
}

func (s *Server) retention(r *http.Request) (any, error) {
	return s.planEdit(r.Context(), coordinator.ApplyPolicy)
}

func (s *Server) planEdit(ctx context.Context, change coordinator.Edit) (any, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	e, err := coordinator.PlanEdit(ctx, store, change)
	if err != nil {
		return nil, storeFailed(err)
	}
	return NewEdited(e, false), nil
}

func (s *Server) setRetention(r *http.Request) (any, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	var body RetentionRequest
	if err := readOwnBody(r, &body); err != nil {
		return nil, err
	}
	policy, err := coordinator.ParsePolicy(body.Policy)
	if err != nil {
		return nil, failure{http.StatusBadRequest, err}
	}
	change := coordinator.SetPolicy(policy)
	if body.DryRun {
		return s.planEdit(r.Context(), change)
	}
	e, err := coordinator.EditHead(r.Context(), store, change)
	if err != nil {
		return nil, storeFailed(err)
	}
	return NewEdited(e, true), nil
}

func (s *Server) head(r *http.Request) (any, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	h, _, err := coordinator.ReadHead(r.Context(), store)
	if err != nil {
		return nil, storeFailed(err)
	}
	return h, nil
}

// store returns the job's store, or why there is none.
func (s *Server) store() (upload.Store, error) {
	if s.job.Store == nil {
		return nil, failed(http.StatusNotFound, "checkpoints are off")
	}
	return s.job.Store, nil
}

// storeFailed gives an error of the store its status.
func storeFailed(err error) error {
	switch {
	case errors.Is(err, coordinator.ErrNotRetained):
		return failure{http.StatusNotFound, err}
	case errors.Is(err, coordinator.ErrHeadBusy):
		return failure{http.StatusServiceUnavailable, err}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{http.StatusGatewayTimeout, err}
	}
	return failure{http.StatusBadGateway, err}
}
