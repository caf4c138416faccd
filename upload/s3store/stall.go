package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errStalled: the server neither sent nor took bytes for Options.StallTimeout.
var errStalled = errors.New("the server stalled: nothing sent or taken")

// body returns the body of a response. Closing it ends the request; so does a
// pause of StallTimeout in which nothing arrives.
func (s *Store) body(ctx context.Context, cancel context.CancelFunc, r io.ReadCloser) io.ReadCloser {
	return &stallReader{ctx: ctx, cancel: cancel, r: r, patience: s.o.StallTimeout}
}

type stallReader struct {
	ctx      context.Context
	cancel   context.CancelFunc
	r        io.ReadCloser
	patience time.Duration
}

func (b *stallReader) Read(p []byte) (int, error) {
	// The timer runs only while a read waits: a slow consumer is no stalled server.
	stalled := false
	fired := make(chan struct{})
	t := time.AfterFunc(b.patience, func() {
		stalled = true
		b.cancel()
		close(fired)
	})
	n, err := b.r.Read(p)
	if !t.Stop() {
		<-fired
	}
	if stalled && err != nil && err != io.EOF {
		err = fmt.Errorf("%w for %v", errStalled, b.patience)
	} else if err != nil && err != io.EOF {
		if cause := b.ctx.Err(); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return n, err
}

func (b *stallReader) Close() error {
	// Nobody wants the rest of the body, and closing it without this would read on.
	b.cancel()
	return b.r.Close()
}

// watch returns r as the body of a request, and the request's context, which ends
// when the server takes nothing for StallTimeout. Closing the body closes r.
func (s *Store) watch(ctx context.Context, r io.ReadSeekCloser) (context.Context, *watched) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{r: r, patience: s.o.StallTimeout, cancel: cancel}
	w.timer = time.AfterFunc(w.patience, func() { cancel(errStalled) })
	w.timer.Stop() // until the first read
	w.ctx = ctx
	return ctx, w
}

// watched is the body of a request. The HTTP client reads it from one goroutine at
// a time, and not after the request has ended.
type watched struct {
	r        io.ReadSeekCloser
	ctx      context.Context
	patience time.Duration
	cancel   context.CancelCauseFunc
	timer    *time.Timer // runs while what was read last is being sent
	err      error       // the first failed read
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Stop()
	n, err := w.r.Read(p)
	if cause := w.ctx.Err(); cause != nil {
		// After its end a request must not reach the server whole.
		return 0, cause
	}
	switch {
	case err == nil:
		w.timer.Reset(w.patience)
	case err != io.EOF:
		if w.err == nil {
			w.err = err
		}
		err = unrepeatable{err}
	}
	return n, err
}

// unrepeatable is an error after which the SDK must not try again: the body cannot
// be read, and only the caller can make another.
type unrepeatable struct{ error }

func (unrepeatable) RetryableError() bool { return false }
func (u unrepeatable) Unwrap() error      { return u.error }

func (w *watched) Seek(offset int64, whence int) (int64, error) {
	w.timer.Stop()
	return w.r.Seek(offset, whence)
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.r.Close()
}

// explain returns why a request with this body failed, which the HTTP client's err
// may not say. ctx is the caller's.
func (w *watched) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case w.err != nil:
		return w.err
	case context.Cause(w.ctx) == errStalled:
		return fmt.Errorf("%w for %v", errStalled, w.patience)
	}
	return err
}
