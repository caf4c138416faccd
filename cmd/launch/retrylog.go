package launch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// A request to the store that fails passes by itself, mostly, and is logged at info. It is
// a warning once it was tried retriesToWarn times or for waitToWarn. One line stands for all
// retries of retryLogEvery.
const (
	retriesToWarn = 3
	waitToWarn    = 10 * time.Second
	retryLogEvery = 10 * time.Second
)

// retryLog logs the failed requests that are tried again.
type retryLog struct {
	log *slog.Logger

	mu     sync.Mutex
	levels [2]struct { // info, warn
		last time.Time
		more int // retries since, which were not logged
	}
}

func (l *retryLog) add(r upload.Retry) {
	level, i := slog.LevelInfo, 0
	if r.Failed >= retriesToWarn || r.Elapsed >= waitToWarn {
		level, i = slog.LevelWarn, 1
	}
	l.mu.Lock()
	of := &l.levels[i]
	if now := time.Now(); now.Sub(of.last) < retryLogEvery {
		of.more++
		l.mu.Unlock()
		return
	}
	more := of.more
	of.last, of.more = time.Now(), 0
	l.mu.Unlock()
	l.log.Log(context.Background(), level, "the store does not do what it is asked, trying again", "op", r.Op, "object", r.Name,
		"failed", r.Failed, "elapsed", r.Elapsed.Round(time.Millisecond), "retries_not_logged", more, "error", r.Err)
}
