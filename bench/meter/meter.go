package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark/tidemark/upload"
)

// Count is what was asked by requests of one kind. In is bytes of bodies from the client,
// Out bytes to it, as they were on the wire.
type Count struct {
	Requests int64
	Refused  int64 // answered with a status of 400 or above
	In, Out  int64
}

// Counts are the counts by kind.
type Counts map[Kind]Count

// Since returns what was counted after before.
func (c Counts) Since(before Counts) Counts {
	out := Counts{}
	for k, n := range c {
		b := before[k]
		out[k] = Count{n.Requests - b.Requests, n.Refused - b.Refused, n.In - b.In, n.Out - b.Out}
	}
	return out
}

// Billed returns the requests that cost what a PUT costs, and those that cost what a GET
// costs. Deleting is free.
func (c Counts) Billed() (puts, gets int64) {
	for k, n := range c {
		switch k.class() {
		case putClass:
			puts += n.Requests
		case getClass:
			gets += n.Requests
		case free:
		}
	}
	return puts, gets
}

// Total sums all kinds.
func (c Counts) Total() (t Count) {
	for _, n := range c {
		t.Requests, t.Refused, t.In, t.Out = t.Requests+n.Requests, t.Refused+n.Refused, t.In+n.In, t.Out+n.Out
	}
	return t
}

// Month is the twelfth part of a year.
const Month = 365 * 24 * time.Hour / 12

// Month returns what the requests would cost in a month that goes on as the time did in
// which they were counted.
func (c Counts) Month(p upload.Prices, within time.Duration) (dollars float64) {
	puts, gets := c.Billed()
	return p.Requests(puts, gets) * float64(Month) / float64(within)
}

// Meter forwards and counts requests. All methods may be called from any goroutine.
type Meter struct {
	address string
	server  http.Server
	done    chan error
	bears   atomic.Pointer[rate.Limiter] // of requests; nil: all pass

	mu     sync.Mutex
	counts Counts
}

// Start listens on the loopback interface for requests to the server at target, a URL. The
// caller closes the meter.
func Start(ctx context.Context, target string) (*Meter, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("meter: %w", err)
	}
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("meter: %w", err)
	}
	m := &Meter{address: l.Addr().String(), done: make(chan error, 1), counts: Counts{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		// Else the transport asks for compression, which is not in the signature.
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	}
	m.server = http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := kindOf(r.Method, r.URL, r.Header)
		in, out := &countingBody{ReadCloser: r.Body}, &countingWriter{ResponseWriter: w}
		r.Body = in
		defer func() { m.add(kind, Count{1, out.refused, in.n, out.n}) }() // the proxy panics where a client goes away
		if !m.refuse(out, r) {
			proxy.ServeHTTP(out, r)
		}
	})}
	go func() { m.done <- m.server.Serve(l) }()
	return m, nil
}

// Endpoint is the URL for clients.
func (m *Meter) Endpoint() string { return "http://" + m.address }

// Counts returns a copy of what was counted.
func (m *Meter) Counts() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}

func (m *Meter) add(k Kind, n Count) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counts[k]
	m.counts[k] = Count{c.Requests + n.Requests, c.Refused + n.Refused, c.In + n.In, c.Out + n.Out}
}

// Close ends the meter, and the requests under way.
func (m *Meter) Close() error {
	err := m.server.Close()
	if served := <-m.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

type countingWriter struct {
	http.ResponseWriter
	n, refused int64
}

func (w *countingWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = 1
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
