package upload

import (
	"context"
	"errors"
	"io"
)

// BodyFromObject returns a Body of an object in a store, of known size and checksum. It
// reads the object in pieces, as it is needed; ctx applies to that.
func BodyFromObject(ctx context.Context, r Reader, name string, size int64, crc32c uint32) Body {
	return Body{Size: size, CRC32C: crc32c, Open: func() (io.ReadSeekCloser, error) {
		return &objectReader{ctx: ctx, r: r, name: name, size: size}, nil
	}}
}

// objectPiece is how much of an object is read by one request.
const objectPiece = 8 << 20

type objectReader struct {
	ctx       context.Context
	r         Reader
	name      string
	size, pos int64
	piece     io.ReadCloser // nil: none open
}

func (o *objectReader) Read(p []byte) (int, error) {
	if o.pos >= o.size {
		return 0, io.EOF
	}
	if o.piece == nil {
		piece, err := o.r.GetRange(o.ctx, o.name, o.pos, min(objectPiece, o.size-o.pos))
		if err != nil {
			return 0, err
		}
		o.piece = piece
	}
	n, err := o.piece.Read(p)
	o.pos += int64(n)
	if errors.Is(err, io.EOF) {
		err = o.Close()
	}
	return n, err
}

// Close closes the open piece. A later Read opens another.
func (o *objectReader) Close() error {
	if o.piece == nil {
		return nil
	}
	piece := o.piece
	o.piece = nil
	return piece.Close()
}

func (o *objectReader) Seek(offset int64, whence int) (int64, error) {
	to, err := seekTarget(o.pos, o.size, offset, whence)
	if err != nil || to == o.pos {
		return to, err
	}
	o.pos = to
	return to, o.Close()
}
