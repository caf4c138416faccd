package faultstore

import (
	"errors"
	"io"

	"github.com/tidemark/tidemark/upload"
)

// damaged returns r with the cut and the flip of f; size is its length.
func damaged(r io.ReadCloser, f Fault, size int64) io.ReadCloser {
	if f.Flip && size > 0 {
		r = &flipping{ReadCloser: r, at: min(max(f.FlipAt, 0), size-1)}
	}
	if f.CutShort != nil {
		r = &cutting{ReadCloser: r, left: f.Cut, err: f.CutShort}
	}
	return r
}

type flipping struct {
	io.ReadCloser
	pos, at int64
}

func (r *flipping) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if i := r.at - r.pos; i >= 0 && i < int64(n) {
		p[i] ^= 1
	}
	r.pos += int64(n)
	return n, err
}

type cutting struct {
	io.ReadCloser
	left int64
	err  error
}

func (r *cutting) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, r.err
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

// cutBody returns body so that each reading of it fails after f.Cut bytes.
func cutBody(body upload.Body, f Fault) upload.Body {
	open := body.Open
	body.Open = func() (io.ReadSeekCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return &cuttingSeeker{ReadSeekCloser: r, cut: f.Cut, err: f.CutShort}, nil
	}
	return body
}

type cuttingSeeker struct {
	io.ReadSeekCloser
	pos, cut int64
	err      error
}

func (r *cuttingSeeker) Read(p []byte) (int, error) {
	if r.pos >= r.cut {
		return 0, r.err
	}
	n, err := r.ReadSeekCloser.Read(p[:min(int64(len(p)), r.cut-r.pos)])
	r.pos += int64(n)
	return n, err
}

func (r *cuttingSeeker) Seek(offset int64, whence int) (int64, error) {
	to, err := r.ReadSeekCloser.Seek(offset, whence)
	if err == nil {
		r.pos = to
	}
	return to, err
}

// inMemory returns a copy of body that outlives the files it is made of.
func inMemory(body upload.Body) (upload.Body, error) {
	r, err := body.OpenVerified()
	if err != nil {
		return upload.Body{}, err
	}
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return upload.Body{}, err
	}
	return upload.BodyFromBytes(b), nil
}
