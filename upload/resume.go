package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// resuming is a body that opens itself again where reading it failed.
type resuming struct {
	ctx   context.Context
	tries *tries
	rc    io.ReadCloser // nil: to be opened again
	pos   int64         // bytes delivered
	size  int64
	err   error // the final one

	// open returns the bytes from pos to size.
	open func(pos int64) (io.ReadCloser, error)
}

func (r *retrying) resumingRange(ctx context.Context, t *tries, rc io.ReadCloser, offset, length int64) io.ReadCloser {
	return &resuming{ctx: ctx, tries: t, rc: rc, size: length, open: func(pos int64) (io.ReadCloser, error) {
		return r.s.GetRange(ctx, t.name, offset+pos, length-pos)
	}}
}

func (r *retrying) resumingGet(ctx context.Context, t *tries, rc io.ReadCloser, info Info) io.ReadCloser {
	body := &resuming{ctx: ctx, tries: t, rc: rc, size: info.Size}
	if info.HasCRC32C {
		// Only the checksum of the whole proves that the rest is of the same object.
		body.open = func(pos int64) (io.ReadCloser, error) {
			return r.s.GetRange(ctx, t.name, pos, info.Size-pos)
		}
		return VerifyReader(body, info.Size, info.CRC32C)
	}
	body.open = func(pos int64) (io.ReadCloser, error) {
		rc, now, err := r.s.Get(ctx, t.name)
		if err != nil {
			return nil, err
		}
		if now.Version != info.Version {
			return nil, errors.Join(fmt.Errorf("%w: it was replaced while being read", ErrCorrupt), rc.Close())
		}
		if _, err := io.CopyN(io.Discard, rc, pos); err != nil {
			return nil, errors.Join(err, rc.Close())
		}
		return rc, nil
	}
	return body
}

func (b *resuming) Read(p []byte) (int, error) {
	for b.err == nil {
		n, err := b.read(p)
		b.pos += int64(n)
		switch {
		case err == nil:
			return n, nil
		case err == io.EOF && b.pos >= b.size:
			b.err = io.EOF
			return n, io.EOF
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		if b.rc != nil {
			_ = b.rc.Close() // it failed already
			b.rc = nil
		}
		b.err = b.tries.again(b.ctx, err)
		if n > 0 {
			return n, b.err
		}
	}
	return 0, b.err
}

func (b *resuming) read(p []byte) (int, error) {
	if b.rc == nil {
		rc, err := b.open(b.pos)
		if err != nil {
			return 0, err
		}
		b.rc = rc
	}
	return b.rc.Read(p)
}

func (b *resuming) Close() error {
	if b.err == nil || b.err == io.EOF {
		b.err = errors.New("read of a closed body")
	}
	if b.rc == nil {
		return nil
	}
	rc := b.rc
	b.rc = nil
	return rc.Close()
}
