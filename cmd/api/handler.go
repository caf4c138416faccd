package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strings"

	"golang.org/x/time/rate"
)

// handler is the way of a request: who sends it, whether they may, what it asks for.
// A path that begins with /v1 means the same as without.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	needs := map[string]Scope{"": Read} // no such path or method; a pattern that is missing here needs Admin
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
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, pattern := mux.Handler(r)
		c := s.access.caller(r)
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
		if status, why := s.access.check(c, r, cmp.Or(needs[pattern], Admin)); status != 0 {
			s.refuse(w, r, status, why)
			return
		}
		if err := own.Check(r); err != nil {
			s.refuse(w, r, http.StatusForbidden, err.Error())
			return
		}
		if pattern == "" {
			n := &nowhere{header: w.Header(), status: http.StatusNotFound}
			found.ServeHTTP(n, r)
			s.refuse(w, r, n.status, fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, strings.ToLower(http.StatusText(n.status))))
			return
		}
		select {
		case s.requests <- struct{}{}:
			defer func() { <-s.requests }()
			defer s.recovered(w, r)
		default:
			s.refuse(w, r, http.StatusServiceUnavailable, "too many requests at once")
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
	v1 := http.StripPrefix("/v1", all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			v1.ServeHTTP(w, r)
			return
		}
		all.ServeHTTP(w, r)
	})
}

// nowhere takes the answer to a path or method that does not exist: only its status and
// headers, such as Allow, go to the caller.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

// recovered answers a request whose handler panicked.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request) {
	switch why := recover(); why {
	case nil:
	case http.ErrAbortHandler:
		panic(why)
	default:
		s.log.Error("a request to the API panicked", "job", s.job.ID, "method", r.Method, "path", r.URL.Path, "panic", why, "stack", string(debug.Stack()))
		s.refuse(w, r, http.StatusInternalServerError, "internal error: the job's log has it")
	}
}

// seldom lets at most one record a second through.
type seldom struct {
	slog.Handler
	line *rate.Sometimes
}

func (h seldom) Handle(ctx context.Context, r slog.Record) (err error) {
	h.line.Do(func() { err = h.Handler.Handle(ctx, r) })
	return err
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
	s.audit(r, status, "error", why)
	writeJSON(w, status, Errors{[]string{why}})
}

// audit logs a write, and what came of it. Whoever may not write cannot fill the log.
func (s *Server) audit(r *http.Request, status int, key string, came any) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return
	}
	log := func() {
		s.log.Warn("write through the API", "job", s.job.ID, "who", callerOf(r).name, "from", r.RemoteAddr, "method", r.Method,
			"path", r.URL.RequestURI(), "status", status, key, came)
	}
	if status/100 == 4 || status == http.StatusServiceUnavailable {
		s.refused.Do(log)
		return
	}
	log()
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
		answer, err := s.carryOut(to, r)
		if err == nil {
			s.audit(r, to.status(), "answer", answer)
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

func (s *Server) carryOut(to route, r *http.Request) (any, error) {
	if !to.store {
		return to.handle(s, r)
	}
	ctx, release, err := s.askStore(r.Context())
	if err != nil {
		return nil, err
	}
	defer release()
	return to.handle(s, r.WithContext(ctx))
}

// askStore lets a request ask the store, for a while. Others need the store, and a
// request must not wait for it with all slots of those that do not.
func (s *Server) askStore(ctx context.Context) (_ context.Context, release func(), _ error) {
	select {
	case s.ofStore <- struct{}{}:
	default:
		return nil, nil, failed(http.StatusServiceUnavailable, "too many requests at once that ask the store")
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	return ctx, func() { cancel(); <-s.ofStore }, nil
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

// readBody decodes the body of a request; an empty body leaves to as it is. Flink's
// scripts send fields that mean nothing here, so unknown ones are let through.
func readBody(r *http.Request, to any) error {
	return bodyError(json.NewDecoder(r.Body).Decode(to))
}

// readOwnBody decodes the body of a request that Flink does not know. A field that is
// not known is refused: a mistyped dry_run must not become an edit.
func readOwnBody(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("more follows it")
		}
	}
	return bodyError(err)
}

func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return failed(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", tooLarge.Limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return failed(http.StatusBadRequest, "the body is not the JSON that is expected: %w", err)
	}
	return nil
}
