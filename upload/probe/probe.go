package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/tidemark/tidemark/upload"
)

const (
	// Prefix is how the names of a probe's objects begin. What lies there for longer than
	// stale was left by a probe that was killed.
	Prefix = "tidemark-probe-"
	stale  = time.Hour

	tries     = 3                      // twice as many of what is throttled
	pause     = 300 * time.Millisecond // before the second try; then twice that
	cleanTime = 10 * time.Second       // of deleting, if the context has ended
)

var given = regexp.MustCompile(`^` + Prefix + `[A-Z2-7]{26}-[a-z0-9]+$`)

// Left reports whether a probe that was killed left what has the name and was put at that
// time.
func Left(name string, at time.Time) bool {
	return given.MatchString(name) && time.Since(at) > stale
}

// Check is one thing that a store must do or may do.
type Check struct {
	Name   string // stable, in snake_case
	Allows string // what a job does with it
	// Required: without it no job runs.
	Required bool
	// Run tries it, with objects whose names p gives. detail is what it measured, if
	// anything. An ErrUnsupported says that the store cannot do it; after another error it
	// is not known.
	Run func(ctx context.Context, p *Probe) (detail string, err error)
}

// Probe is one probe of a store. Its methods may be called from any goroutine.
type Probe struct {
	Store upload.Store

	bare upload.Store    // Store without its pace
	pace *upload.Limiter // of Store
	base string
	mu   sync.Mutex
	gave []string
}

// New returns a probe of s, which must not retry by itself.
func New(s upload.Store) *Probe {
	// A store that throttles is to get the requests of a probe slowly.
	pace := upload.NewLimiter(upload.Limits{})
	return &Probe{Store: upload.Limited(s, pace), bare: s, pace: pace, base: Prefix + rand.Text() + "-"}
}

// Name gives a name that no object has. The object is deleted by Clean.
func (p *Probe) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := fmt.Sprintf("%s%d", p.base, len(p.gave))
	p.gave = append(p.gave, name)
	return name
}

// put puts a small object under a new name.
func (p *Probe) put(ctx context.Context, content string) (upload.Info, error) {
	return p.putAs(ctx, p.Name(), []byte(content), upload.PutOptions{})
}

// putAs puts a small object, again while that is throttled: then nothing was applied.
func (p *Probe) putAs(ctx context.Context, name string, content []byte, o upload.PutOptions) (upload.Info, error) {
	for try := 1; ; try++ {
		info, err := p.Store.Put(ctx, name, upload.BodyFromBytes(content), o)
		if !errors.Is(err, upload.ErrThrottled) || errors.Is(err, upload.ErrConflict) || try == 2*tries || !rest(ctx, try) {
			return info, err
		}
	}
}

// rest pauses after a failed try. It returns false if ctx ended.
func rest(ctx context.Context, try int) bool {
	t := time.NewTimer(pause << (try - 1))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// Clean deletes what the checks put, also if ctx has ended.
func (p *Probe) Clean(ctx context.Context) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
	}
	_, err := p.try(ctx, Check{Run: func(ctx context.Context, p *Probe) (string, error) {
		return "", p.Store.Delete(ctx, p.gave...)
	}})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// Forget deletes the versions of what Clean deleted, in a store that keeps them.
func (p *Probe) Forget(ctx context.Context) error {
	s := p.Store.(upload.Versioned) // Limited passes it on
	var all []upload.Version
	for v, err := range s.Versions(ctx, p.base) {
		if errors.Is(err, upload.ErrUnsupported) {
			return nil // the server keeps none
		}
		if err != nil {
			return fmt.Errorf("list versions: %w", err)
		}
		all = append(all, v)
	}
	if err := s.DeleteVersions(ctx, all...); err != nil {
		return fmt.Errorf("delete versions: %w", err)
	}
	return nil
}

// try makes a check, again where a failure may pass.
func (p *Probe) try(ctx context.Context, c Check) (detail string, err error) {
	for try := 1; ; try++ {
		detail, err = c.Run(ctx, p)
		most := tries
		if errors.Is(err, upload.ErrThrottled) {
			most = 2 * tries
		}
		if err == nil || try >= most || !upload.Retryable(err) || !rest(ctx, try) {
			return detail, err
		}
	}
}

// Start makes the checks of a start: that who runs the job may use the store, then those
// given. The first that fails ends it, unless a job can do without; then log gets it at
// warn.
func Start(ctx context.Context, s upload.Store, checks []Check, log *slog.Logger) (err error) {
	p := New(s)
	if _, err := p.try(ctx, Access); err != nil { // before anything is put
		return err
	}
	defer func() {
		err = errors.Join(err, p.Clean(ctx))
		if ferr := p.Forget(ctx); ferr != nil {
			log.Debug("versions of a probe's objects are left", "store", s.String(), "error", ferr)
		}
	}()
	for _, c := range checks {
		_, err := p.try(ctx, c)
		switch {
		case err != nil && (c.Required || !errors.Is(err, upload.ErrUnsupported)):
			return err
		case err != nil:
			log.Warn("a job does without what the store lacks", "store", s.String(), "check", c.Name, "error", err)
		}
	}
	return nil
}
