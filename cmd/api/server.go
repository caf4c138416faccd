package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

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
	maxOfStore    = 4        // of those, that ask the store; more are refused
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	answerTimeout = 2 * time.Minute
	idleTimeout   = 2 * time.Minute
	storeTimeout  = 30 * time.Second // of a request that asks the store
	lastAnswers   = time.Second      // that requests under way may take when the job has ended
	lastCut       = time.Second      // that they may take to end once they are cancelled
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
	secure   bool          // TLS
	requests chan struct{} // of capacity maxRequests: those under way
	ofStore  chan struct{} // of capacity maxOfStore: those of them that ask the store
	serving  context.Context
	cut      context.CancelFunc // ends serving, and so all requests
	triggers *triggers
	running  sync.WaitGroup
	refused  rate.Sometimes // writes, as the log has them

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
	a, err := o.access(log)
	if err != nil {
		return nil, err
	}
	l, err := o.listen(ctx, log)
	if err != nil {
		return nil, err
	}
	s := &Server{
		access: a, listener: l, log: log, secure: o.Cert != "", triggers: newTriggers(), refused: rate.Sometimes{First: 100, Interval: time.Second},
		requests: make(chan struct{}, maxRequests), ofStore: make(chan struct{}, maxOfStore),
	}
	s.serving, s.cut = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// Address is where the server listens: "host:port".
func (s *Server) Address() string { return s.listener.Addr().String() }

// Reached is where other machines reach the server, "host:port": one that listens on all
// addresses, by the host's name.
func (s *Server) Reached() string {
	host, port, _ := net.SplitHostPort(s.Address())
	if name, err := os.Hostname(); err == nil && net.ParseIP(host).IsUnspecified() {
		return net.JoinHostPort(name, port)
	}
	return s.Address()
}

// URL is where the server is reached.
func (s *Server) URL() string {
	if s.secure {
		return "https://" + s.Address()
	}
	return "http://" + s.Address()
}

// Serve answers requests, in a goroutine of its own, until Close. It is called once.
func (s *Server) Serve(j Job) {
	s.job = j
	lines := seldom{s.log.Handler(), &rate.Sometimes{Interval: time.Second}} // anybody can cause one
	s.http = http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(lines, slog.LevelWarn),
		BaseContext:  func(net.Listener) context.Context { return s.serving },
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: it bounds what a connection asks at once
	}
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Warn("the API is served no more", "address", s.Address(), "error", err)
		}
	})
}

// Close ends the server, and every goroutine of it. It first waits for triggers under
// way, and shortly for whoever asks what became of them, until ctx ends. Requests that
// take longer are cancelled, which is logged: how the job ends does not depend on them.
func (s *Server) Close(ctx context.Context) {
	s.triggers.close(ctx)
	slow := time.AfterFunc(lastAnswers, s.cut)
	defer slow.Stop()
	defer s.cut()
	ending, cancel := context.WithTimeout(ctx, lastAnswers+lastCut)
	defer cancel()
	if err := s.http.Shutdown(ending); err != nil {
		s.cut()
		s.log.Warn("connections of the API were cut", "address", s.Address(), "error", errors.Join(err, s.http.Close()))
	}
	_ = s.listener.Close() // of a server that never served; else it is closed
	s.running.Wait()
	last := time.After(lastCut)
	for n := range maxRequests { // a slot is free once its request has ended
		select {
		case s.requests <- struct{}{}:
		case <-last:
			s.log.Warn("requests to the API go on after its end", "address", s.Address(), "requests", maxRequests-n)
			return
		}
	}
}
