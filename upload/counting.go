package upload

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
)

// Counters count the operations of a Counting store. The zero value is ready to
// use. Any goroutine may read it at any time.
type Counters struct {
	Get, GetRange, Head, List, Put, Delete, Copy, Uploads, Abort, Versions OpCounters
}

// OpCounters count the operations of one kind.
type OpCounters struct {
	// Ops counts the operations that began.
	Ops atomic.Int64
	// Failures counts those that failed. An absent object and a condition that does
	// not hold are answers, not failures.
	Failures atomic.Int64
	// Bytes counts what was read from bodies, or put.
	Bytes atomic.Int64
}

// OpCount is a copy of OpCounters.
type OpCount struct {
	Op                   string
	Ops, Failures, Bytes int64
}

// Snapshot returns the counts by kind of operation, always in the same order.
func (c *Counters) Snapshot() []OpCount {
	var counts []OpCount
	for _, op := range []struct {
		name string
		c    *OpCounters
	}{
		{"get", &c.Get}, {"range", &c.GetRange}, {"head", &c.Head}, {"list", &c.List}, {"put", &c.Put},
		{"delete", &c.Delete}, {"copy", &c.Copy}, {"uploads", &c.Uploads}, {"abort", &c.Abort}, {"versions", &c.Versions},
	} {
		counts = append(counts, OpCount{op.name, op.c.Ops.Load(), op.c.Failures.Load(), op.c.Bytes.Load()})
	}
	return counts
}

func (c *OpCounters) failed(err error) {
	if err != nil && !errors.Is(err, ErrNotExist) && !errors.Is(err, ErrPrecondition) {
		c.Failures.Add(1)
	}
}

func (c *OpCounters) count(err error) {
	c.Ops.Add(1)
	c.failed(err)
}

// Counting decorates s and counts its operations in c. Below Retrying it counts
// tries, above it calls.
func Counting(s Store, c *Counters) Store { return &counting{s, c} }

type counting struct {
	s Store
	c *Counters
}

func (c *counting) String() string { return c.s.String() }

func (c *counting) Get(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	rc, info, err := c.s.Get(ctx, name)
	c.c.Get.count(err)
	if err != nil {
		return nil, info, err
	}
	return &countingReader{rc, &c.c.Get, false}, info, nil
}

func (c *counting) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	rc, err := c.s.GetRange(ctx, name, offset, length)
	c.c.GetRange.count(err)
	if err != nil {
		return nil, err
	}
	return &countingReader{rc, &c.c.GetRange, false}, nil
}

type countingReader struct {
	io.ReadCloser
	c      *OpCounters
	failed bool
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.c.Bytes.Add(int64(n))
	if err != nil && err != io.EOF && !r.failed {
		r.failed = true
		r.c.failed(err)
	}
	return n, err
}

func (c *counting) Head(ctx context.Context, name string) (Info, error) {
	info, err := c.s.Head(ctx, name)
	c.c.Head.count(err)
	return info, err
}

func (c *counting) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return counted(&c.c.List, c.s.List(ctx, prefix))
}

func (c *counting) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return counted(&c.c.Uploads, c.s.Uploads(ctx, prefix))
}

func counted[T any](c *OpCounters, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		c.Ops.Add(1)
		for v, err := range seq {
			c.failed(err)
			if !yield(v, err) {
				return
			}
		}
	}
}

func (c *counting) Put(ctx context.Context, name string, body Body, o PutOptions) (Info, error) {
	info, err := c.s.Put(ctx, name, body, o)
	c.c.Put.count(err)
	if err == nil {
		c.c.Put.Bytes.Add(body.Size)
	}
	return info, err
}

func (c *counting) Delete(ctx context.Context, names ...string) error {
	err := c.s.Delete(ctx, names...)
	c.c.Delete.count(err)
	return err
}

func (c *counting) Copy(ctx context.Context, src, dst string) error {
	err := c.s.Copy(ctx, src, dst)
	c.c.Copy.count(err)
	return err
}

func (c *counting) AbortUpload(ctx context.Context, name string) error {
	err := c.s.AbortUpload(ctx, name)
	c.c.Abort.count(err)
	return err
}
