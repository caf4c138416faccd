package launch

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// A request that goes through at the second try is no warning; a store that throttles or
// does not answer for good is one, and not a line for each request.
func TestRetriesAreLogged(t *testing.T) { // I11
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := &retryLog{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))}
		once := upload.Retry{Op: "put", Name: "a", Err: upload.ErrThrottled, Failed: 1, Elapsed: time.Second}
		for range 100 {
			l.add(once)
		}
		if out.Len() > 0 {
			t.Errorf("one retry of each is no warning: %s", &out)
		}
		l.add(upload.Retry{Op: "get", Name: "b", Err: errors.New("no answer"), Failed: 1, Elapsed: 20 * time.Second})
		for range 100 {
			l.add(upload.Retry{Op: "put", Name: "a", Err: upload.ErrThrottled, Failed: 3, Elapsed: time.Second})
			time.Sleep(200 * time.Millisecond)
		}
		lines := strings.Count(out.String(), "\n")
		if lines < 2 || lines > 3 || !strings.Contains(out.String(), "no answer") || !strings.Contains(out.String(), "retries_not_logged=50") {
			t.Errorf("%d lines in 20 s: %s", lines, &out)
		}
	})
}
