package s3store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/upload"
)

// part is a piece of an object.
type part struct {
	number         int32 // from 1
	offset, length int64
}

// split cuts size bytes into at most 10 000 parts of at least least bytes; only
// the last may be smaller.
func split(size, least int64) []part {
	length := max(least, (size+maxParts-1)/maxParts)
	var parts []part
	for offset := int64(0); offset < size; offset += length {
		parts = append(parts, part{int32(len(parts) + 1), offset, min(length, size-offset)})
	}
	return parts
}

// cleanupTime bounds requests that clean up after the context has ended.
const cleanupTime = 10 * time.Second

// outlive returns a context that ends cleanupTime after ctx.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(cleanupTime)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

// multipart is a multipart upload in flight.
type multipart struct {
	s   *Store
	key *string
	id  *string
}

// create starts a multipart upload. If it is checked, the parts and the whole have a
// CRC32C.
func (s *Store) create(ctx context.Context, key *string, checked bool) (multipart, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &s.o.Bucket, Key: key}
	if checked {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	}
	// Whether it started must be known even if ctx ends now: otherwise nobody
	// would abort it.
	longer, cancel := outlive(ctx)
	defer cancel()
	out, err := s.client.CreateMultipartUpload(longer, in, s.once, s.encrypted)
	if err != nil {
		return multipart{}, fmt.Errorf("begin multipart upload: %w", classify(ctx, err))
	}
	return multipart{s, key, out.UploadId}, nil
}

// begin starts a multipart upload, which f fills and completes. If f fails, the
// upload is aborted.
func (s *Store) begin(ctx context.Context, key *string, checked bool, f func(multipart) error) error {
	m, err := s.create(ctx, key, checked)
	if err != nil {
		return err
	}
	if err = ctx.Err(); err == nil {
		err = f(m)
	}
	if err != nil {
		if aerr := m.abort(ctx); aerr != nil {
			return fmt.Errorf("%w; its multipart upload stays open: %w", err, aerr)
		}
	}
	return err
}

func (m multipart) abort(ctx context.Context) error {
	longer, cancel := outlive(ctx)
	defer cancel()
	_, err := m.s.client.AbortMultipartUpload(longer, &s3.AbortMultipartUploadInput{Bucket: &m.s.o.Bucket, Key: m.key, UploadId: m.id}, m.s.patient)
	var gone *types.NoSuchUpload
	if errors.As(err, &gone) {
		return nil // it was completed, or aborted by a sweep
	}
	return classify(longer, err)
}

// complete makes the object from its parts; a nil crc is not checked.
func (m multipart) complete(ctx context.Context, parts []types.CompletedPart, size int64, crc *string, c conditions) (version string, err error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &m.s.o.Bucket, Key: m.key, UploadId: m.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, MpuObjectSize: &size,
		IfNoneMatch: c.ifNoneMatch, IfMatch: c.ifMatch,
	}
	if crc != nil {
		in.ChecksumCRC32C, in.ChecksumType = crc, types.ChecksumTypeFullObject
	}
	out, err := m.s.client.CompleteMultipartUpload(ctx, in, m.s.once)
	if err != nil {
		return "", fmt.Errorf("complete multipart upload: %w", writeError(ctx, err, c))
	}
	if got, ok := decodeCRC(out.ChecksumCRC32C, out.ChecksumType); ok && crc != nil && *encodeCRC(got) != *crc && got != composite(parts) {
		return "", fmt.Errorf("complete multipart upload: %w: the server says checksum %08x, and was told %s", upload.ErrCorrupt, got, *crc)
	}
	return aws.ToString(out.ETag), nil
}

// composite returns the checksum of the parts' checksums, which some servers give for
// that of the whole object.
func composite(parts []types.CompletedPart) (crc uint32) {
	for _, p := range parts {
		if b, err := base64.StdEncoding.DecodeString(aws.ToString(p.ChecksumCRC32C)); err == nil {
			crc = upload.ExtendCRC32C(crc, b)
		}
	}
	return crc
}

// putParts is putWhole of a large body.
func (s *Store) putParts(ctx context.Context, key *string, body upload.Body, c conditions) (version string, err error) {
	r, err := openChecked(body)
	if err == nil {
		err = r.Close()
	}
	if err != nil {
		return "", err
	}
	err = s.begin(ctx, key, true, func(m multipart) error {
		parts := split(body.Size, s.o.PartBytes)
		done := make([]types.CompletedPart, len(parts))
		sums := make([]uint32, len(parts))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(s.o.Parallel)
		for i, p := range parts {
			g.Go(func() (err error) {
				if err := gctx.Err(); err != nil {
					return err
				}
				done[i], sums[i], err = m.put(gctx, body, p)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		var crc uint32
		for i, p := range parts {
			crc = upload.CombineCRC32C(crc, sums[i], p.length)
		}
		if crc != body.CRC32C {
			return fmt.Errorf("%w: body has checksum %08x, not %08x", upload.ErrCorrupt, crc, body.CRC32C)
		}
		version, err = m.complete(ctx, done, body.Size, encodeCRC(crc), c)
		return err
	})
	return version, err
}

// put uploads a part of body. It reads the part twice, since its checksum is sent
// first.
func (m multipart) put(ctx context.Context, body upload.Body, p part) (_ types.CompletedPart, crc uint32, err error) {
	none := types.CompletedPart{}
	whole, err := body.Open()
	if err != nil {
		return none, 0, fmt.Errorf("open body: %w", err)
	}
	r := &partReader{r: whole, offset: p.offset, length: p.length}
	sending, w := m.s.watch(ctx, r)
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return none, 0, err
	}
	if crc, err = checksum(ctx, r, p.length); err != nil {
		return none, 0, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return none, 0, err
	}
	out, err := m.s.client.UploadPart(sending, &s3.UploadPartInput{
		Bucket: &m.s.o.Bucket, Key: m.key, UploadId: m.id, PartNumber: &p.number, Body: w, ContentLength: &p.length,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumCRC32C: encodeCRC(crc),
	}, m.s.payload, m.s.patient)
	if err != nil {
		return none, 0, fmt.Errorf("upload part %d: %w", p.number, classify(ctx, w.explain(ctx, err)))
	}
	return types.CompletedPart{PartNumber: &p.number, ETag: out.ETag, ChecksumCRC32C: encodeCRC(crc)}, crc, nil
}

func checksum(ctx context.Context, r io.Reader, length int64) (uint32, error) {
	buf := make([]byte, 128<<10)
	var crc uint32
	for length > 0 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := r.Read(buf)
		crc = upload.ExtendCRC32C(crc, buf[:n])
		length -= int64(n)
		if err == io.EOF && length > 0 {
			err = fmt.Errorf("%w: body is shorter than it states", upload.ErrCorrupt)
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
	}
	return crc, nil
}

// partReader reads a part of r as if it were the whole.
type partReader struct {
	r              io.ReadSeekCloser
	offset, length int64
	pos            int64
}

func (p *partReader) Read(b []byte) (int, error) {
	if p.pos >= p.length {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.length-p.pos)])
	p.pos += int64(n)
	if err == io.EOF && p.pos < p.length {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (p *partReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.pos
	case io.SeekEnd:
		offset += p.length
	}
	if offset < 0 {
		return p.pos, errors.New("seek before the start")
	}
	if _, err := p.r.Seek(p.offset+offset, io.SeekStart); err != nil {
		return p.pos, err
	}
	p.pos = offset
	return offset, nil
}

func (p *partReader) Close() error { return p.r.Close() }
