// Package faultstore answers: what does the engine do when its store fails?
//
// It decorates a store. An Injector can fail any operation before or after it is
// applied, cut its bytes short, flip one, apply it twice or late, or let it hang.
// A test that must survive any single fault runs with OnIndex(0), OnIndex(1), …
// until Injected returns 0.
//
// # Invariants
//
//   - Operations are counted, and given to the injector, one at a time.
//   - Without a fault every operation is passed on unchanged.
//   - An operation that fails before, or hangs, does not reach the store.
package faultstore

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// Store is a decorated upload.Store. All methods may be called from any
// goroutine.
type Store struct {
	inner upload.Store

	mu       sync.Mutex
	injector Injector
	ops      []Op
	injected int
	late     []func(context.Context) error
}

var _ upload.Store = (*Store)(nil)

// Wrap decorates s with the faults of i; nil injects none.
func Wrap(s upload.Store, i Injector) *Store { return &Store{inner: s, injector: i} }

// Set replaces the injector; nil injects none from now on. Indexes keep counting.
func (s *Store) Set(i Injector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injector = i
}

// Ops returns how many operations began.
func (s *Store) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ops)
}

// History returns all operations that began, in order.
func (s *Store) History() []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Op(nil), s.ops...)
}

// Injected returns how many operations met a fault.
func (s *Store) Injected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.injected
}

// ApplyLate applies the writes kept by Fault.Late, in order, and returns how
// each ended.
func (s *Store) ApplyLate(ctx context.Context) []error {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	var ends []error
	for _, apply := range late {
		ends = append(ends, apply(ctx))
	}
	return ends
}

func (s *Store) decide(k Kind, name string, o upload.PutOptions) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := Op{Kind: k, Name: name, Index: len(s.ops), Put: o}
	s.ops = append(s.ops, op)
	if s.injector == nil {
		return Fault{}
	}
	f := s.injector.Inject(op)
	if !f.isZero() {
		s.injected++
	}
	return f
}

// before carries out the faults of f that come before the operation is applied.
func (s *Store) before(ctx context.Context, f Fault, op Kind, name string) error {
	fail := func(err error) error {
		return &upload.Error{Op: string(op), Store: s.inner.String(), Name: name, Err: err}
	}
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		}
	}
	if f.Before != nil {
		return fail(f.Before)
	}
	if f.Hang {
		<-ctx.Done()
		return fail(context.Cause(ctx))
	}
	return nil
}

func (s *Store) after(f Fault, op Kind, name string) error {
	if f.After == nil {
		return nil
	}
	return &upload.Error{Op: string(op), Store: s.inner.String(), Name: name, Err: f.After}
}

// String implements upload.Reader.
func (s *Store) String() string { return s.inner.String() }

// Get implements upload.Reader.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	f := s.decide(Get, name, upload.PutOptions{})
	if err := s.before(ctx, f, Get, name); err != nil {
		return nil, upload.Info{}, err
	}
	r, info, err := s.inner.Get(ctx, name)
	if err != nil {
		return nil, info, err
	}
	if err := s.after(f, Get, name); err != nil {
		_ = r.Close()
		return nil, upload.Info{}, err
	}
	r = damaged(r, f, info.Size)
	if f.Flip && info.HasCRC32C {
		// The inner store verified what it holds; what is damaged on the way is
		// found by the same check on this side.
		r = upload.VerifyReader(r, info.Size, info.CRC32C)
	}
	return r, info, nil
}

// GetRange implements upload.Reader.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	f := s.decide(GetRange, name, upload.PutOptions{})
	if err := s.before(ctx, f, GetRange, name); err != nil {
		return nil, err
	}
	r, err := s.inner.GetRange(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	if err := s.after(f, GetRange, name); err != nil {
		_ = r.Close()
		return nil, err
	}
	return damaged(r, f, length), nil
}

// Head implements upload.Reader.
func (s *Store) Head(ctx context.Context, name string) (upload.Info, error) {
	f := s.decide(Head, name, upload.PutOptions{})
	if err := s.before(ctx, f, Head, name); err != nil {
		return upload.Info{}, err
	}
	info, err := s.inner.Head(ctx, name)
	if err == nil {
		err = s.after(f, Head, name)
	}
	return info, err
}

// List implements upload.Reader.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return func(yield func(upload.Info, error) bool) {
		f := s.decide(List, prefix, upload.PutOptions{})
		if err := s.before(ctx, f, List, prefix); err != nil {
			yield(upload.Info{}, err)
			return
		}
		for info, err := range s.inner.List(ctx, prefix) {
			if !yield(info, err) || err != nil {
				return
			}
		}
		if err := s.after(f, List, prefix); err != nil {
			yield(upload.Info{}, err)
		}
	}
}

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	f := s.decide(Put, name, o)
	if err := s.before(ctx, f, Put, name); err != nil {
		return upload.Info{}, err
	}
	if f.Late != nil {
		kept, err := inMemory(body)
		if err != nil {
			return upload.Info{}, err
		}
		s.keep(func(ctx context.Context) error {
			_, err := s.inner.Put(ctx, name, kept, o)
			return err
		})
		return upload.Info{}, &upload.Error{Op: string(Put), Store: s.String(), Name: name, Err: f.Late}
	}
	sent := body
	if f.CutShort != nil {
		sent = cutBody(body, f)
	}
	info, err := s.inner.Put(ctx, name, sent, o)
	if err != nil {
		return upload.Info{}, err
	}
	if f.Twice {
		if again, err := s.inner.Put(ctx, name, body, o); err == nil {
			info = again
		}
	}
	if err := s.after(f, Put, name); err != nil {
		return upload.Info{}, err
	}
	return info, nil
}

// Delete implements upload.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	return s.write(ctx, Delete, first, func(ctx context.Context) error { return s.inner.Delete(ctx, names...) })
}

// Copy implements upload.Store.
func (s *Store) Copy(ctx context.Context, src, dst string) error {
	return s.write(ctx, Copy, dst, func(ctx context.Context) error { return s.inner.Copy(ctx, src, dst) })
}

// AbortUpload implements upload.Store.
func (s *Store) AbortUpload(ctx context.Context, name string) error {
	return s.write(ctx, Abort, name, func(ctx context.Context) error { return s.inner.AbortUpload(ctx, name) })
}

func (s *Store) write(ctx context.Context, k Kind, name string, apply func(context.Context) error) error {
	f := s.decide(k, name, upload.PutOptions{})
	if err := s.before(ctx, f, k, name); err != nil {
		return err
	}
	if f.Late != nil {
		s.keep(apply)
		return &upload.Error{Op: string(k), Store: s.String(), Name: name, Err: f.Late}
	}
	if err := apply(ctx); err != nil {
		return err
	}
	if f.Twice {
		_ = apply(ctx) // as documented: how the second ends is of no interest
	}
	return s.after(f, k, name)
}

// Uploads implements upload.Store.
func (s *Store) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f := s.decide(Uploads, prefix, upload.PutOptions{})
		if err := s.before(ctx, f, Uploads, prefix); err != nil {
			yield("", err)
			return
		}
		for name, err := range s.inner.Uploads(ctx, prefix) {
			if !yield(name, err) || err != nil {
				return
			}
		}
		if err := s.after(f, Uploads, prefix); err != nil {
			yield("", err)
		}
	}
}

func (s *Store) keep(apply func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, apply)
}
