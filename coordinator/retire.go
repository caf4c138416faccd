package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/upload"
)

// ErrJobRuns: a leader shows signs of life, so its job is not retired.
var ErrJobRuns = errors.New("the job runs")

// StandstillOptions say how to find out whether a leader lives.
type StandstillOptions struct {
	// Answers asks at the leader's address in head whether the job is served there. Nil:
	// nobody asks.
	Answers func(ctx context.Context, address, job string) (bool, error)
	// Watching is called from time to time while head is watched. Nil: nobody is told.
	Watching func(passed, of time.Duration)
}

const (
	leastWatch   = 2 * time.Second
	unknownPause = 3 * time.Minute // between checkpoints of which history knows none
)

// Standstill returns head once nothing shows that a leader lives: none answers at the
// address in head, and head does not move within two of its checkpoints' intervals, or for
// some minutes if history does not know them. Else
// the error wraps ErrJobRuns. It changes nothing.
func Standstill(ctx context.Context, r upload.Reader, o StandstillOptions) (Head, error) {
	h, etag, err := ReadHead(ctx, r)
	if err != nil {
		return Head{}, err
	}
	if h.Leader != "" && o.Answers != nil {
		lives, err := o.Answers(ctx, h.Leader, h.Job)
		if err != nil {
			return Head{}, fmt.Errorf("ask the leader at %s: %w", h.Leader, err)
		}
		if lives {
			return Head{}, fmt.Errorf("%w: its leader answers at %s", ErrJobRuns, h.Leader)
		}
	}
	past, _ := history.Read(ctx, r) // empty if it cannot be read: it is no truth, and may be damaged
	watch := max(leastWatch, 2*pauseOf(past))
	for begin := time.Now(); time.Since(begin) < watch; {
		if o.Watching != nil {
			o.Watching(time.Since(begin), watch)
		}
		select {
		case <-time.After(min(time.Second, watch)):
		case <-ctx.Done():
			return Head{}, fmt.Errorf("watch head: %w", context.Cause(ctx))
		}
		switch _, now, err := ReadHead(ctx, r); {
		case err != nil:
			return Head{}, err
		case now != etag:
			return Head{}, fmt.Errorf("%w: head has changed since it is watched", ErrJobRuns)
		}
	}
	return h, nil
}

// pauseOf is the longest time from the trigger of a checkpoint to that of the next one that
// the interval started, of all that history lists.
func pauseOf(past history.History) time.Duration {
	longest := time.Duration(0)
	for i, c := range past.Checkpoints {
		if i > 0 && c.Trigger == history.ByInterval && c.Epoch == past.Checkpoints[i-1].Epoch {
			longest = max(longest, c.Triggered.Sub(past.Checkpoints[i-1].Triggered))
		}
	}
	if longest == 0 {
		return unknownPause
	}
	return longest
}

// Retire takes the lead from whoever had it in the head that was seen, for nobody: from
// then on what the last leader left is dead, and a Sweep deletes it. A leader that lives
// after all is fenced. It fails with ErrJobRuns where head has moved since.
func Retire(seen Head) Edit {
	writer := "retired-" + rand.Text()
	return func(h *Head, _ time.Time) error {
		if h.Version != seen.Version || h.Edit != seen.Edit {
			return fmt.Errorf("%w: head has changed since it was watched", ErrJobRuns)
		}
		h.Epoch, h.Writer, h.Leader = h.Epoch+1, writer, ""
		return nil
	}
}
