package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// OpenVerified opens the body and verifies its size and checksum while it is read:
// the read that would complete wrong bytes fails with ErrCorrupt and returns none.
// A Seek to the start begins anew. After a Seek to another place nothing is
// verified until the next Seek to the start.
func (b Body) OpenVerified() (io.ReadSeekCloser, error) {
	if b.Open == nil {
		return nil, fmt.Errorf("body of %d bytes cannot be opened: make it by a BodyFrom function", b.Size)
	}
	r, err := b.Open()
	if err != nil {
		return nil, fmt.Errorf("open body: %w", err)
	}
	return &verifiedBody{r: r, body: b, sequential: true}, nil
}

// Verify reads the body and returns an ErrCorrupt unless it has its size and checksum.
func (b Body) Verify() error {
	r, err := b.OpenVerified()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

type verifiedBody struct {
	r          io.ReadSeekCloser
	body       Body
	pos        int64
	crc        uint32
	sequential bool // all bytes before pos were read in order
}

func (v *verifiedBody) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	if !v.sequential {
		return n, err
	}
	v.crc = ExtendCRC32C(v.crc, p[:n])
	v.pos += int64(n)
	switch {
	case v.pos > v.body.Size:
		return 0, fmt.Errorf("%w: body is longer than its %d bytes", ErrCorrupt, v.body.Size)
	case v.pos == v.body.Size && v.crc != v.body.CRC32C:
		return 0, fmt.Errorf("%w: body has checksum %08x, not %08x", ErrCorrupt, v.crc, v.body.CRC32C)
	case err == io.EOF && v.pos < v.body.Size:
		return 0, fmt.Errorf("%w: body ends after %d of %d bytes", ErrCorrupt, v.pos, v.body.Size)
	}
	return n, err
}

func (v *verifiedBody) Seek(offset int64, whence int) (int64, error) {
	to, err := v.r.Seek(offset, whence)
	if err != nil {
		return to, err
	}
	if to != v.pos || to == 0 {
		v.pos, v.crc, v.sequential = to, 0, to == 0
	}
	return to, nil
}

func (v *verifiedBody) Close() error { return v.r.Close() }

// VerifyReader returns a reader of r that fails with ErrCorrupt, instead of
// io.EOF, where r does not hold exactly size bytes of that checksum.
func VerifyReader(r io.ReadCloser, size int64, crc32c uint32) io.ReadCloser {
	return &verifiedReader{ReadCloser: r, size: size, want: crc32c, checked: true}
}

// VerifyLength is VerifyReader where the checksum is not known.
func VerifyLength(r io.ReadCloser, size int64) io.ReadCloser {
	return &verifiedReader{ReadCloser: r, size: size}
}

type verifiedReader struct {
	io.ReadCloser
	size, n   int64
	want, crc uint32
	checked   bool
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.n += int64(n)
	if v.checked {
		v.crc = ExtendCRC32C(v.crc, p[:n])
	}
	switch {
	case v.n > v.size:
		return n, fmt.Errorf("%w: longer than %d bytes", ErrCorrupt, v.size)
	case v.n == v.size && v.checked && v.crc != v.want:
		return n, fmt.Errorf("%w: checksum %08x, not %08x", ErrCorrupt, v.crc, v.want)
	case err == io.EOF && v.n < v.size:
		return n, fmt.Errorf("%w: ends after %d of %d bytes", ErrCorrupt, v.n, v.size)
	}
	return n, err
}

// ReadAll reads a whole object of at most limit bytes into memory.
func ReadAll(ctx context.Context, r Reader, name string, limit int64) (_ []byte, _ Info, err error) {
	body, info, err := r.Get(ctx, name)
	if err != nil {
		return nil, Info{}, err
	}
	defer func() {
		if cerr := body.Close(); err == nil && cerr != nil {
			err = &Error{Op: "get", Store: r.String(), Name: name, Err: cerr}
		}
	}()
	if info.Size > limit {
		return nil, info, &Error{Op: "get", Store: r.String(), Name: name,
			Err: fmt.Errorf("%w: %d bytes, more than the %d that this object may have", ErrCorrupt, info.Size, limit)}
	}
	b := make([]byte, info.Size)
	if _, err := io.ReadFull(body, b); err != nil {
		return nil, info, &Error{Op: "get", Store: r.String(), Name: name, Err: err}
	}
	// The verdict on the bytes may come only with the end.
	var end [1]byte
	switch n, err := io.ReadFull(body, end[:]); {
	case n > 0:
		return nil, info, &Error{Op: "get", Store: r.String(), Name: name, Err: fmt.Errorf("%w: longer than %d bytes", ErrCorrupt, info.Size)}
	case err != io.EOF:
		return nil, info, &Error{Op: "get", Store: r.String(), Name: name, Err: err}
	}
	return b, info, nil
}
