package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
)

// conditions of a request, in S3's terms.
type conditions struct{ ifNoneMatch, ifMatch *string }

func conditionsOf(o upload.PutOptions) conditions {
	var c conditions
	if o.IfAbsent {
		c.ifNoneMatch = aws.String("*")
	}
	if o.IfMatch != "" {
		c.ifMatch = &o.IfMatch
	}
	return c
}

func (c conditions) any() bool { return c.ifNoneMatch != nil || c.ifMatch != nil }

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, name string, body upload.Body, o upload.PutOptions) (upload.Info, error) {
	key, err := s.key("put", name)
	if err != nil {
		return upload.Info{}, err
	}
	send := s.putWhole
	if body.Size > s.o.MultipartBytes {
		send = s.putParts
	}
	if err := ctx.Err(); err != nil {
		return upload.Info{}, s.fail("put", name, err)
	}
	version, err := send(ctx, key, body, conditionsOf(o))
	if err == nil && version == "" {
		err = errors.New("the server gave no ETag")
	}
	if err != nil {
		return upload.Info{}, s.fail("put", name, err)
	}
	// Modified stays zero: the answer to a PUT has no time.
	return upload.Info{Name: name, Size: body.Size, Version: version, CRC32C: body.CRC32C, HasCRC32C: true}, nil
}

func (s *Store) putWhole(ctx context.Context, key *string, body upload.Body, c conditions) (version string, err error) {
	r, err := openChecked(body)
	if err != nil {
		return "", err
	}
	sending, w := s.watch(ctx, r)
	defer func() { err = errors.Join(err, w.Close()) }()
	options := []func(*s3.Options){s.payload, s.encrypted}
	if c.any() {
		options = append(options, s.once)
	}
	out, err := s.client.PutObject(sending, &s3.PutObjectInput{
		Bucket: &s.o.Bucket, Key: key, Body: w, ContentLength: &body.Size,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumCRC32C: encodeCRC(body.CRC32C),
		IfNoneMatch: c.ifNoneMatch, IfMatch: c.ifMatch,
	}, options...)
	if err != nil {
		return "", writeError(ctx, w.explain(ctx, err), c)
	}
	return aws.ToString(out.ETag), nil
}

// writeError classifies the error of a request that creates an object.
func writeError(ctx context.Context, err error, c conditions) error {
	err = classifyAs(ctx, err, c.any())
	if c.ifMatch != nil && errors.Is(err, upload.ErrNotExist) {
		return fmt.Errorf("%w: it does not exist: %w", upload.ErrPrecondition, err)
	}
	return err
}

// openChecked opens a body, verified, if its length is what it states.
func openChecked(body upload.Body) (io.ReadSeekCloser, error) {
	r, err := body.OpenVerified()
	if err != nil {
		return nil, err
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err == nil && size != body.Size {
		err = fmt.Errorf("%w: body has %d bytes, not %d", upload.ErrCorrupt, size, body.Size)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}
