package s3store

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// Copy implements upload.Store: the server copies.
func (s *Store) Copy(ctx context.Context, src, dst string) error {
	from, err := s.key("copy", src)
	if err != nil {
		return err
	}
	to, err := s.key("copy", dst)
	if err != nil {
		return err
	}
	out, err := s.head(ctx, from)
	if err != nil {
		return s.fail("copy", src, err)
	}
	source := aws.String(s.o.Bucket + "/" + escape(*from))
	if size := aws.ToInt64(out.ContentLength); size > s.o.CopyBytes {
		return s.fail("copy", dst, s.copyParts(ctx, to, source, size, out.ETag))
	}
	_, err = s.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.o.Bucket, Key: to, CopySource: source, CopySourceIfMatch: out.ETag,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	}, s.encrypted)
	return s.fail("copy", dst, classify(ctx, err))
}

// copyParts copies what is too large for one request. The copy has no CRC32C,
// since only the server reads the bytes, and versitygw 1.8 gives a copied part
// the checksum of the whole source.
func (s *Store) copyParts(ctx context.Context, to, source *string, size int64, version *string) error {
	return s.begin(ctx, to, false, func(m multipart) error {
		parts := split(size, s.o.CopyBytes)
		done := make([]types.CompletedPart, len(parts))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(s.o.Parallel)
		for i, p := range parts {
			g.Go(func() error {
				out, err := s.client.UploadPartCopy(gctx, &s3.UploadPartCopyInput{
					Bucket: &s.o.Bucket, Key: to, UploadId: m.id, PartNumber: &p.number, CopySource: source,
					CopySourceIfMatch: version, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", p.offset, p.offset+p.length-1)),
				}, s.patient)
				if err != nil {
					return fmt.Errorf("copy part %d: %w", p.number, classify(gctx, err))
				}
				done[i] = types.CompletedPart{PartNumber: &p.number, ETag: out.CopyPartResult.ETag}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		_, err := m.complete(ctx, done, size, nil, conditions{})
		return err
	})
}

// escape escapes a key for a header, slashes excepted.
func escape(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.ReplaceAll(strings.Join(parts, "/"), "+", "%2B")
}
