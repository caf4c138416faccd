package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/upload"
)

// Bounds of a server.
const (
	maxBody       = 64 << 10 // bytes of a request's body
	maxHeader     = 16 << 10 // bytes of a request's header
	maxRequests   = 32       // at once; more are refused
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	answerTimeout = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
)

// Job is the job that a server serves.
type Job struct {
	ID      string
	Version string           // of the program that runs it
	Graph   checkpoint.Graph // as it runs
	Started time.Time
	Metrics *engine.Metrics
	// Checkpoints is how they are taken.
	Checkpoints CheckpointConfig
	// Coordinator leads the job. Nil: checkpoints are off.
	Coordinator Coordinator
	// Store is the job's own. Nil: checkpoints are off.
	Store upload.Store
	// Cancel ends the run without a checkpoint. Whoever calls it does not wait.
	Cancel func()
	// Prometheus answers /metrics. Nil: there is no such path.
	Prometheus http.Handler
}

// Coordinator is what a server asks and tells the job's coordinator.
type Coordinator interface {
	Status() coordinator.Status
	History() history.History
	// Trigger takes a checkpoint and returns once it is committed.
	Trigger(ctx context.Context) (checkpoint.ID, error)
	// Stop ends the job, behind a last checkpoint if one is asked for.
	Stop(ctx context.Context, withCheckpoint bool, reason string) (checkpoint.ID, error)
}

// Server serves a job over HTTP. All methods may be called from any goroutine.
type Server struct {
	access   access
	listener net.Listener
	log      *slog.Logger
	job      Job // once Serve was called
	http     http.Server
	requests chan struct{} // of capacity maxRequests: those under way
	triggers *triggers
	running  sync.WaitGroup

	mu struct {
		sync.Mutex
		cancelling bool
		ended      JobState // of the job; empty: it runs
		at         time.Time
	}
}

// Listen opens the server's socket, so that its address is known. Requests wait until
// Serve.
func Listen(ctx context.Context, o Options, log *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	a, err := o.access()
	if err != nil {
		return nil, err
	}
	l, err := o.listen(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{access: a, listener: l, log: log, requests: make(chan struct{}, maxRequests), triggers: newTriggers()}, nil
}

// Address is where the server listens: "host:port".
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL is where the server is reached.
func (s *Server) URL() string {
	if _, plain := s.listener.(*net.TCPListener); plain {
		return "http://" + s.Address()
	}
	return "https://" + s.Address()
}

// Serve answers requests, in a goroutine of its own, until Close. It is called once.
func (s *Server) Serve(j Job) {
	s.job = j
	s.http = http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: it bounds what a connection asks at once
	}
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Warn("the API is served no more", "address", s.Address(), "error", err)
		}
	})
}

// Close ends the server, and every goroutine of it. It first waits for triggers under
// way, and shortly for whoever asks what became of them, until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.triggers.close(ctx)
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	err = errors.Join(err, ignoreClosed(s.listener.Close()))
	s.running.Wait()
	if err != nil {
		return fmt.Errorf("api: close: %w", err)
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// handler is the way of a request: who sends it, whether they may, what it asks for.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	needs := map[string]Scope{}
	for _, r := range routes() {
		pattern := r.method + " " + r.pattern()
		needs[pattern] = r.scope
		mux.Handle(pattern, s.answer(r))
	}
	if s.job.Prometheus != nil {
		mux.Handle("GET /metrics", s.job.Prometheus)
		needs["GET /metrics"] = Read
	}
	for path, h := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
	} {
		mux.Handle("GET "+path, h)
		needs["GET "+path] = Admin
	}
	own := http.NewCrossOriginProtection() // refuses writes from pages of other sites
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		c := s.access.caller(r)
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
		if status, why := s.access.check(c, r, needs[pattern]); status != 0 {
			s.refuse(w, r, status, why)
			return
		}
		if err := own.Check(r); err != nil {
			s.refuse(w, r, http.StatusForbidden, err.Error())
			return
		}
		select {
		case s.requests <- struct{}{}:
			defer func() { <-s.requests }()
		default:
			s.refuse(w, r, http.StatusServiceUnavailable, "too many requests at once")
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

type callerKey struct{}

func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// refuse answers a request that is not carried out.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.audit(r, status, errors.New(why))
	writeJSON(w, status, Errors{[]string{why}})
}

// audit logs a write.
func (s *Server) audit(r *http.Request, status int, err error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return
	}
	log := s.log.With("job", s.job.ID, "who", callerOf(r).name, "from", r.RemoteAddr, "method", r.Method, "path", r.URL.RequestURI(), "status", status)
	if err != nil {
		log = log.With("error", err)
	}
	log.Warn("write through the API")
}

// Errors is the answer to a request that failed.
type Errors struct {
	Errors []string `json:"errors"`
}

// failure is an error with the status that tells of it.
type failure struct {
	status int
	err    error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

func failed(status int, format string, args ...any) error {
	return failure{status, fmt.Errorf(format, args...)}
}

// answer carries out a request for a route.
func (s *Server) answer(to route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("job"); id != "" && id != s.job.ID {
			s.refuse(w, r, http.StatusNotFound, fmt.Sprintf("job %s is not here: this process runs %s", id, s.job.ID))
			return
		}
		answer, err := to.handle(s, r)
		if err == nil {
			s.audit(r, to.status(), nil)
			writeJSON(w, to.status(), answer)
			return
		}
		status := http.StatusInternalServerError
		if f, ok := errors.AsType[failure](err); ok {
			status = f.status
		}
		s.refuse(w, r, status, err.Error())
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"errors":["the answer cannot be encoded"]}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // whoever asked is gone: nobody to tell
}

// readBody decodes the body of a request. An empty one changes nothing. Flink's scripts
// send fields that mean nothing here, so unknown ones are let through.
func readBody(r *http.Request, to any) error {
	err := json.NewDecoder(r.Body).Decode(to)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return failed(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", tooLarge.Limit)
	}
	if err != nil && !errors.Is(err, errEmptyBody) {
		return failed(http.StatusBadRequest, "the body is not the JSON that is expected: %w", err)
	}
	return nil
}
