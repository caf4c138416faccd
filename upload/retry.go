package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"
)

// RetryOptions bound the tries of a Retrying store.
type RetryOptions struct {
	// Attempts bounds the tries of an operation, including the first. Zero: 6.
	Attempts int
	// Elapsed bounds the time from the first try to the start of the last.
	// Zero: 2 min. Negative: no bound.
	Elapsed time.Duration
	// Base is the longest pause before the second try. It doubles with each further
	// try. Zero: 100 ms.
	Base time.Duration
	// Max bounds each pause. Zero: 10 s.
	Max time.Duration
	// Retried, if not nil, is called after each failed try that is followed by
	// another, in the operation's goroutine. It is for metrics and logs.
	Retried func(Retry)
}

// Retry is a failed try that is followed by another.
type Retry struct {
	Op, Name string
	Err      error
	Failed   int           // tries of the operation so far, all of which failed
	Elapsed  time.Duration // since the first one began
	Pause    time.Duration // before the next
}

// Validate says what is wrong with the options, nil if nothing.
func (o RetryOptions) Validate() error {
	if o.Attempts < 0 || o.Base < 0 || o.Max < 0 {
		return errors.New("retry options: attempts and pauses must not be negative")
	}
	return nil
}

func (o RetryOptions) withDefaults() RetryOptions {
	if o.Attempts <= 0 {
		o.Attempts = 6
	}
	if o.Elapsed == 0 {
		o.Elapsed = 2 * time.Minute
	}
	if o.Base <= 0 {
		o.Base = 100 * time.Millisecond
	}
	if o.Max <= 0 {
		o.Max = 10 * time.Second
	}
	return o
}

// throttledFactor lengthens the pauses after ErrThrottled.
const throttledFactor = 4

// ceiling returns the longest pause after the given number of failed tries, at
// least one. The pause is drawn evenly between zero and it, so that clients that
// failed together do not come back together.
func (o RetryOptions) ceiling(failed int, throttled bool) time.Duration {
	d := o.Base
	if throttled {
		d *= throttledFactor
	}
	for ; failed > 1 && d < o.Max; failed-- {
		d *= 2
	}
	return min(d, o.Max)
}

// Retryable reports whether an operation that failed with err may succeed if it is
// tried again. The caller checks its own context itself.
func Retryable(err error) bool {
	for _, permanent := range []error{ErrNotExist, ErrPrecondition, ErrDenied, ErrNoBucket, ErrNoSpace, ErrCorrupt, ErrName, ErrUnsupported} {
		if errors.Is(err, permanent) {
			return false
		}
	}
	return err != nil
}

// Refused reports whether the store refuses an operation that failed with err, and will
// again until somebody changes its permissions, the credentials or the store.
func Refused(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrNoBucket) || errors.Is(err, ErrUnsupported)
}

// Retrying decorates s: it repeats failed operations, after pauses, where that is
// safe. Reads, unconditional writes, deletes and copies are repeated after any
// failure that may pass. A Put with IfMatch is repeated only after ErrThrottled,
// which says that nothing was applied. A Put with IfAbsent is repeated, too. If an
// earlier try may have been applied and a later one gets ErrPrecondition, the
// object is read back: it is this Put's if it has the same size and checksum. So
// the content of such a Put must be the writer's alone, for example by a random
// part or an epoch in it.
//
// The body of a Get or GetRange that breaks off is opened again where it was, and
// verified as a whole.
func Retrying(s Store, o RetryOptions) Store {
	return &retrying{s: s, o: o.withDefaults()}
}

type retrying struct {
	s Store
	o RetryOptions
}

func (r *retrying) String() string { return r.s.String() }

// tries counts the tries of one operation, or of one body.
type tries struct {
	r        *retrying
	op, name string
	failed   int
	start    time.Time
}

func (r *retrying) tries(op, name string) *tries {
	return &tries{r: r, op: op, name: name, start: time.Now()}
}

// again pauses after a failed try. It returns nil if another try may follow, else
// the operation's error.
func (t *tries) again(ctx context.Context, err error) error {
	if !Retryable(err) || ctx.Err() != nil {
		return err
	}
	o := t.r.o
	t.failed++
	if t.failed >= o.Attempts {
		if t.failed == 1 {
			return err
		}
		return fmt.Errorf("given up after %d tries: %w", t.failed, err)
	}
	pause := time.Duration(rand.Int64N(int64(o.ceiling(t.failed, errors.Is(err, ErrThrottled))) + 1))
	if elapsed := time.Since(t.start); o.Elapsed > 0 && elapsed+pause > o.Elapsed {
		return fmt.Errorf("given up after %d tries in %v: %w", t.failed, elapsed.Round(time.Millisecond), err)
	}
	if o.Retried != nil {
		o.Retried(Retry{t.op, t.name, err, t.failed, time.Since(t.start), pause})
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &Error{Op: t.op, Store: t.r.String(), Name: t.name, Err: fmt.Errorf("%w while pausing after: %w", ctx.Err(), err)}
	}
}

func (r *retrying) do(ctx context.Context, op, name string, try func() error) error {
	t := r.tries(op, name)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if err := t.again(ctx, err); err != nil {
			return err
		}
	}
}

func (r *retrying) Head(ctx context.Context, name string) (info Info, err error) {
	err = r.do(ctx, "head", name, func() error { info, err = r.s.Head(ctx, name); return err })
	return info, err
}

func (r *retrying) Delete(ctx context.Context, names ...string) error {
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	// Delete all of them again. That is harmless, and the names in the error may be
	// relative to another prefix.
	return r.do(ctx, "delete", first, func() error { return r.s.Delete(ctx, names...) })
}

func (r *retrying) Copy(ctx context.Context, src, dst string) error {
	return r.do(ctx, "copy", dst, func() error { return r.s.Copy(ctx, src, dst) })
}

func (r *retrying) AbortUpload(ctx context.Context, name string) error {
	return r.do(ctx, "abort", name, func() error { return r.s.AbortUpload(ctx, name) })
}

func (r *retrying) Put(ctx context.Context, name string, body Body, o PutOptions) (Info, error) {
	t := r.tries("put", name)
	unknown := false // whether an earlier try may have been applied
	for {
		info, err := r.s.Put(ctx, name, body, o)
		if err == nil {
			return info, nil
		}
		if o.IfAbsent && unknown && errors.Is(err, ErrPrecondition) {
			return r.ours(ctx, name, body, err)
		}
		if !errors.Is(err, ErrThrottled) {
			unknown = true
			if o.IfMatch != "" {
				return Info{}, err
			}
		}
		if err := t.again(ctx, err); err != nil {
			return Info{}, err
		}
	}
}

// ours reads back the object that made a Put fail, and reports whether an earlier
// try of that Put wrote it.
func (r *retrying) ours(ctx context.Context, name string, body Body, refused error) (Info, error) {
	var found Info
	err := r.do(ctx, "put", name, func() error {
		rc, info, err := r.s.Get(ctx, name)
		if errors.Is(err, ErrNotExist) {
			return refused // and was deleted since
		}
		if err != nil {
			return err
		}
		found = info
		if info.Size != body.Size {
			return errors.Join(refused, rc.Close())
		}
		_, crc, err := checksumReader(ctx, rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return &Error{Op: "put", Store: r.String(), Name: name, Err: fmt.Errorf("read back what refused it: %w", err)}
		}
		if crc != body.CRC32C {
			return refused
		}
		return nil
	})
	if err != nil {
		return Info{}, err
	}
	found.CRC32C, found.HasCRC32C = body.CRC32C, true
	return found, nil
}

func (r *retrying) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		t := r.tries("list", prefix)
		last, any := "", false
		for {
			var failed error
			for info, err := range r.s.List(ctx, prefix) {
				if err != nil {
					failed = err
					break
				}
				if any && info.Name <= last {
					continue // yielded by an earlier try
				}
				last, any = info.Name, true
				if !yield(info, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := t.again(ctx, failed); err != nil {
				yield(Info{}, err)
				return
			}
		}
	}
}

func (r *retrying) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		t := r.tries("uploads", prefix)
		seen := map[string]bool{}
		for {
			var failed error
			for name, err := range r.s.Uploads(ctx, prefix) {
				if err != nil {
					failed = err
					break
				}
				if seen[name] {
					continue
				}
				seen[name] = true
				if !yield(name, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if err := t.again(ctx, failed); err != nil {
				yield("", err)
				return
			}
		}
	}
}

func (r *retrying) Get(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	t := r.tries("get", name)
	for {
		rc, info, err := r.s.Get(ctx, name)
		if err == nil {
			return r.resumingGet(ctx, t, rc, info), info, nil
		}
		if err := t.again(ctx, err); err != nil {
			return nil, Info{}, err
		}
	}
}

func (r *retrying) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	t := r.tries("get", name)
	for {
		rc, err := r.s.GetRange(ctx, name, offset, length)
		if err == nil {
			return r.resumingRange(ctx, t, rc, offset, length), nil
		}
		if err := t.again(ctx, err); err != nil {
			return nil, err
		}
	}
}
