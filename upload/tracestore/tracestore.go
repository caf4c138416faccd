// Package tracestore answers: what did the engine ask of its store, in which
// order?
//
// It writes a line for each operation that ended, for golden traces:
//
//	put head 120 if-match: ok
//	get data/7f/object: object does not exist
//	list data/: 3
//	delete manifests/3-1 data/7f/object: ok
//
// # Invariants
//
//   - Lines are whole, and in the order in which operations ended.
//   - A line holds nothing that differs between two equal runs: no version, no
//     time, and an error of package upload instead of the operating system's text.
package tracestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/tidemark/tidemark/upload"
)

// Store is a decorated upload.Store.
type Store struct {
	inner upload.Store

	mu sync.Mutex
	w  io.Writer
}

var _ upload.Store = (*Store)(nil)

// Wrap decorates s and writes its operations to w, one at a time. Errors of w are
// ignored.
func Wrap(s upload.Store, w io.Writer) *Store { return &Store{inner: s, w: w} }

func (s *Store) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.w, format+"\n", args...)
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []error{upload.ErrNotExist, upload.ErrPrecondition, upload.ErrDenied, upload.ErrNoBucket, upload.ErrNoSpace,
		upload.ErrCorrupt, upload.ErrThrottled, upload.ErrName, upload.ErrUnsupported, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	var e *upload.Error
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// String implements upload.Reader.
func (s *Store) String() string { return s.inner.String() }

// Get implements upload.Reader.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	rc, info, err := s.inner.Get(ctx, name)
	s.line("get %s: %s", name, outcome(err))
	return rc, info, err
}

// GetRange implements upload.Reader.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	rc, err := s.inner.GetRange(ctx, name, offset, length)
	s.line("get %s [%d,%d): %s", name, offset, offset+length, outcome(err))
	return rc, err
}

// Head implements upload.Reader.
func (s *Store) Head(ctx context.Context, name string) (upload.Info, error) {
	info, err := s.inner.Head(ctx, name)
	s.line("head %s: %s", name, outcome(err))
	return info, err
}

// List implements upload.Reader.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return traced(s, "list", prefix, s.inner.List(ctx, prefix))
}

// Uploads implements upload.Store.
func (s *Store) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return traced(s, "uploads", prefix, s.inner.Uploads(ctx, prefix))
}

func traced[T any](s *Store, op, prefix string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		var failed error
		for v, err := range seq {
			if err != nil {
				failed = err
			} else {
				n++
			}
			if !yield(v, err) {
				break
			}
		}
		if failed != nil {
			s.line("%s %s: %d, then %s", op, prefix, n, outcome(failed))
			return
		}
		s.line("%s %s: %d", op, prefix, n)
	}
}

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	info, err := s.inner.Put(ctx, name, body, o)
	condition := ""
	if o.IfAbsent {
		condition += " if-absent"
	}
	if o.IfMatch != "" {
		condition += " if-match"
	}
	s.line("put %s %d%s: %s", name, body.Size, condition, outcome(err))
	return info, err
}

// Delete implements upload.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	err := s.inner.Delete(ctx, names...)
	s.line("delete %s: %s", strings.Join(names, " "), outcome(err))
	return err
}

// Copy implements upload.Store.
func (s *Store) Copy(ctx context.Context, src, dst string) error {
	err := s.inner.Copy(ctx, src, dst)
	s.line("copy %s %s: %s", src, dst, outcome(err))
	return err
}

// AbortUpload implements upload.Store.
func (s *Store) AbortUpload(ctx context.Context, name string) error {
	err := s.inner.AbortUpload(ctx, name)
	s.line("abort %s: %s", name, outcome(err))
	return err
}
