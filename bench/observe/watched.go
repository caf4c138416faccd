package observe

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// watched reports the puts of state to a Watch.
type watched struct {
	upload.Store
	w *Watch
}

func (s *watched) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	if !strings.HasPrefix(name, incremental.DataPrefix) {
		return s.Store.Put(ctx, name, body, o)
	}
	defer s.w.puts.begin()()
	info, err := s.Store.Put(ctx, name, body, o)
	s.w.Data.Put.Ops.Add(1)
	if err == nil {
		s.w.Data.Put.Bytes.Add(body.Size)
	}
	return info, err
}

// span adds up the time in which at least one of many things was under way.
type span struct {
	mu      sync.Mutex
	running int
	since   time.Time
	total   time.Duration
}

// begin begins one thing and returns the function that ends it.
func (s *span) begin() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == 0 {
		s.since = time.Now()
	}
	s.running++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running--; s.running == 0 {
			s.total += time.Since(s.since)
		}
	}
}

func (s *span) seconds() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total.Seconds()
}
