package meter

import (
	"io"
	"net/http"

	"golang.org/x/time/rate"
)

// Throttle lets burst requests pass and then n a second, from now on, and answers the others
// as S3 does when it wants fewer.
func (m *Meter) Throttle(n float64, burst int) { m.bears.Store(rate.NewLimiter(rate.Limit(n), burst)) }

// Free ends Throttle.
func (m *Meter) Free() { m.bears.Store(nil) }

// refuse answers a request that is too many, and reports whether it was.
func (m *Meter) refuse(w http.ResponseWriter, r *http.Request) bool {
	if bears := m.bears.Load(); bears == nil || bears.Allow() {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body) // the connection is used again
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
	return true
}
