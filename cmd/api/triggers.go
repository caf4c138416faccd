package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Bounds of triggers.
const (
	maxTriggers = 256             // that are remembered; the oldest that ended is forgotten
	maxRunning  = 16              // at once
	lastLook    = 5 * time.Second // for whoever asks what became of a stop, once the job has ended
)

// triggers are requests that take longer than an answer. Each has an id, by which
// whoever sent it asks what became of it.
type triggers struct {
	ctx    context.Context // ends with the job: of all but stops
	cancel context.CancelFunc
	// abandon ends stops, too: Close waits for them first.
	stops   context.Context
	abandon context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	all    map[string]*trigger
	order  []string      // ids, oldest first
	looked chan struct{} // of capacity 1: somebody learned what became of a stop
}

// trigger is one of them.
type trigger struct {
	stop       bool // else: a checkpoint
	done       bool
	told       bool // to whoever asked, once it was done
	checkpoint uint64
	err        error
}

func newTriggers() *triggers {
	t := &triggers{all: map[string]*trigger{}, looked: make(chan struct{}, 1)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.stops, t.abandon = context.WithCancel(context.Background())
	return t
}

// triggerID is what the caller may name a trigger, but for notTriggerID, which is another
// path.
var triggerID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

const notTriggerID = "config"

// begin runs do under an id, a new one if id is empty. If the id was used before for the
// same, do is not run again.
func (t *triggers) begin(id string, stop bool, do func(ctx context.Context, id string) (uint64, error)) (string, error) {
	if id == "" {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		id = hex.EncodeToString(b[:])
	}
	if !triggerID.MatchString(id) || id == notTriggerID {
		return "", failed(http.StatusBadRequest, "triggerId %q: use 1 to 64 letters, digits, '_' and '-', but not %q", id, notTriggerID)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if had, ok := t.all[id]; ok {
		if had.stop != stop {
			return "", failed(http.StatusConflict, "triggerId %q was used for something else", id)
		}
		return id, nil
	}
	running := 0
	for _, had := range t.all {
		if !had.done {
			running++
		}
	}
	if running >= maxRunning {
		return "", failed(http.StatusServiceUnavailable, "%d triggers are under way", running)
	}
	if len(t.order) >= maxTriggers {
		i := slices.IndexFunc(t.order, func(id string) bool { return t.all[id].done })
		delete(t.all, t.order[i])
		t.order = slices.Delete(t.order, i, i+1)
	}
	started := &trigger{stop: stop}
	t.all[id], t.order = started, append(t.order, id)
	ctx := t.ctx
	if stop {
		ctx = t.stops
	}
	t.running.Go(func() {
		checkpoint, err := do(ctx, id)
		t.mu.Lock()
		defer t.mu.Unlock()
		started.done, started.checkpoint, started.err = true, checkpoint, err
	})
	return id, nil
}

// look returns a copy of a trigger.
func (t *triggers) look(id string, stop bool) (trigger, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.all[id]
	if !ok || found.stop != stop {
		return trigger{}, failed(http.StatusNotFound, "no trigger has the request id %q", id)
	}
	if found.done && !found.told {
		found.told = true
		if stop {
			select {
			case t.looked <- struct{}{}:
			default:
			}
		}
	}
	return *found, nil
}

// untold reports whether nobody knows yet what became of a stop.
func (t *triggers) untold() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, had := range t.all {
		if had.stop && !had.told {
			return true
		}
	}
	return false
}

// close ends all triggers. It waits for stops, and a while for whoever asks what became
// of them, until ctx ends.
func (t *triggers) close(ctx context.Context) {
	t.cancel()
	release := context.AfterFunc(ctx, t.abandon)
	defer release()
	t.running.Wait()
	t.abandon()
	timer := time.NewTimer(lastLook)
	defer timer.Stop()
	for t.untold() {
		select {
		case <-t.looked:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// CheckpointRequest asks for a checkpoint.
type CheckpointRequest struct {
	Type      string `json:"checkpointType,omitempty" doc:"CONFIGURED or INCREMENTAL, which are the same; empty: the same"`
	TriggerID string `json:"triggerId,omitempty" doc:"the request id, chosen by the caller, so that the request may be sent again; empty: a new one"`
}

// Triggered names what was begun.
type Triggered struct {
	RequestID string `json:"request-id"`
}

// LogValue implements slog.LogValuer.
func (t Triggered) LogValue() slog.Value {
	return slog.GroupValue(slog.String("request_id", t.RequestID))
}

// TriggerStatus says what became of a trigger.
type TriggerStatus[T any] struct {
	Status struct {
		ID string `json:"id" doc:"IN_PROGRESS or COMPLETED, which may be a failure"`
	} `json:"status"`
	Operation *T `json:"operation" doc:"null while it is in progress"`
}

// CheckpointOutcome is the end of a checkpoint's trigger.
type CheckpointOutcome struct {
	ID           uint64        `json:"checkpointId" doc:"0: it failed"`
	FailureCause *FailureCause `json:"failureCause"`
}

// FailureCause is why something failed.
type FailureCause struct {
	Class string `json:"class"`
	Text  string `json:"stack-trace"`
}

func causeOf(err error) *FailureCause {
	if err == nil {
		return nil
	}
	return &FailureCause{fmt.Sprintf("%T", err), err.Error()}
}

func (s *Server) triggerCheckpoint(r *http.Request) (any, error) {
	c, err := s.coordinator()
	if err != nil {
		return nil, err
	}
	var body CheckpointRequest
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	if body.Type != "" && body.Type != "CONFIGURED" && body.Type != "INCREMENTAL" {
		return nil, failed(http.StatusBadRequest, "checkpointType %q: every checkpoint is incremental", body.Type)
	}
	return s.begin(r, body.TriggerID, false, func(ctx context.Context, _ string) (uint64, error) {
		id, err := c.Trigger(ctx)
		return uint64(id), err
	})
}

// begin begins a trigger, and logs what becomes of it.
func (s *Server) begin(r *http.Request, id string, stop bool, do func(ctx context.Context, id string) (uint64, error)) (any, error) {
	who := callerOf(r).name
	id, err := s.triggers.begin(id, stop, func(ctx context.Context, id string) (uint64, error) {
		checkpoint, err := do(ctx, id)
		log := s.log.With("job", s.job.ID, "who", who, "stop", stop, "request_id", id)
		if err != nil {
			log.Warn("a write through the API failed", "error", err)
		} else {
			log.Warn("a write through the API is done", "checkpoint", checkpoint)
		}
		return checkpoint, err
	})
	if err != nil {
		return nil, err
	}
	return Triggered{id}, nil
}

func (s *Server) checkpointStatus(r *http.Request) (any, error) {
	t, err := s.triggers.look(r.PathValue("request"), false)
	if err != nil {
		return nil, err
	}
	return statusOf(t, CheckpointOutcome{t.checkpoint, causeOf(t.err)}), nil
}

func statusOf[T any](t trigger, outcome T) (x TriggerStatus[T]) {
	x.Status.ID = inProgress
	if t.done {
		x.Status.ID, x.Operation = completed, &outcome
	}
	return x
}
