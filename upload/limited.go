package upload

import (
	"context"
	"io"
	"iter"
	"sync/atomic"
	"time"
)

// Limited decorates s with the limits of l. It belongs below Retrying, so that each try
// waits for its turn. A write on the version of an object, as the swap of head is, waits for
// nothing: it is one small request, and everything waits for it.
func Limited(s Store, l *Limiter) Store { return &limited{s, l} }

type limited struct {
	s Store
	l *Limiter
}

func (d *limited) String() string { return d.s.String() }

// do carries out an operation in its turn.
func (d *limited) do(ctx context.Context, op, name string, do func() error) error {
	free, err := d.l.begin(ctx)
	if err != nil {
		return &Error{Op: op, Store: d.String(), Name: name, Err: err}
	}
	defer free()
	began := time.Now()
	err = do()
	d.l.ended(began, err)
	return err
}

// read is do for an operation that goes on until its body is closed.
func (d *limited) read(ctx context.Context, name string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	free, err := d.l.begin(ctx)
	if err != nil {
		return nil, &Error{Op: "get", Store: d.String(), Name: name, Err: err}
	}
	began := time.Now()
	rc, err := open()
	d.l.ended(began, err)
	if err != nil {
		free()
		return nil, err
	}
	return &limitedReader{rc, ctx, d.l, free}, nil
}

type limitedReader struct {
	io.ReadCloser
	ctx  context.Context
	l    *Limiter
	free func()
}

func (r *limitedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if werr := transfer(r.ctx, r.l.down, n); werr != nil && (err == nil || err == io.EOF) {
		return 0, werr
	}
	return n, err
}

func (r *limitedReader) Close() error {
	r.free()
	return r.ReadCloser.Close()
}

func (d *limited) Get(ctx context.Context, name string) (rc io.ReadCloser, info Info, err error) {
	rc, err = d.read(ctx, name, func() (io.ReadCloser, error) { rc, info, err = d.s.Get(ctx, name); return rc, err })
	return rc, info, err
}

func (d *limited) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	return d.read(ctx, name, func() (io.ReadCloser, error) { return d.s.GetRange(ctx, name, offset, length) })
}

func (d *limited) Head(ctx context.Context, name string) (info Info, err error) {
	err = d.do(ctx, "head", name, func() error { info, err = d.s.Head(ctx, name); return err })
	return info, err
}

// Put counts the bytes of the body as they are read. A store may read some of them twice,
// to have their checksum first; they count once.
func (d *limited) Put(ctx context.Context, name string, body Body, o PutOptions) (info Info, err error) {
	if open := body.Open; d.l.up != nil && open != nil && o.IfMatch == "" {
		left := new(atomic.Int64)
		left.Store(body.Size)
		body.Open = func() (io.ReadSeekCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return &limitedBody{r, ctx, d.l, left}, nil
		}
	}
	if o.IfMatch != "" {
		began := time.Now()
		info, err = d.s.Put(ctx, name, body, o)
		d.l.ended(began, err)
		return info, err
	}
	err = d.do(ctx, "put", name, func() error { info, err = d.s.Put(ctx, name, body, o); return err })
	return info, err
}

type limitedBody struct {
	io.ReadSeekCloser
	ctx  context.Context
	l    *Limiter
	left *atomic.Int64 // bytes of the body that were not counted yet; of all its readers
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadSeekCloser.Read(p)
	count := min(int64(n), b.left.Add(-int64(n))+int64(n))
	if werr := transfer(b.ctx, b.l.up, int(count)); werr != nil && (err == nil || err == io.EOF) {
		return 0, werr
	}
	return n, err
}

func (d *limited) Delete(ctx context.Context, names ...string) error {
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	return d.do(ctx, "delete", first, func() error { return d.s.Delete(ctx, names...) })
}

func (d *limited) Copy(ctx context.Context, src, dst string) error {
	return d.do(ctx, "copy", dst, func() error { return d.s.Copy(ctx, src, dst) })
}

func (d *limited) AbortUpload(ctx context.Context, name string) error {
	return d.do(ctx, "abort", name, func() error { return d.s.AbortUpload(ctx, name) })
}

func (d *limited) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return inTurn(ctx, d, "list", prefix, d.s.List(ctx, prefix))
}

func (d *limited) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return inTurn(ctx, d, "uploads", prefix, d.s.Uploads(ctx, prefix))
}

// inTurn takes a turn for a listing. It has no slot: who reads it may use the store
// meanwhile.
func inTurn[T any](ctx context.Context, d *limited, op, prefix string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := d.l.Turn(ctx); err != nil {
			var none T
			yield(none, &Error{Op: op, Store: d.String(), Name: prefix, Err: err})
			return
		}
		began := time.Now()
		for v, err := range seq {
			d.l.ended(began, err)
			if !yield(v, err) {
				return
			}
		}
	}
}

func (d *limited) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return inTurn(ctx, d, "versions", prefix, versionsOf(ctx, d.s, prefix))
}

func (d *limited) DeleteVersions(ctx context.Context, versions ...Version) error {
	first := ""
	if len(versions) > 0 {
		first = versions[0].Name
	}
	return d.do(ctx, "delete", first, func() error { return deleteVersions(ctx, d.s, versions) })
}
