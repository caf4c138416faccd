package s3store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
)

// List implements upload.Reader. A page has at most 1000 objects; what is put or
// deleted between two pages may or may not be listed. Keys that are not legal
// names were not put by this package, and are skipped.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[upload.Info, error] {
	return func(yield func(upload.Info, error) bool) {
		if unlistable(prefix) {
			return
		}
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
			Bucket: &s.o.Bucket, Prefix: aws.String(s.prefix + prefix), EncodingType: types.EncodingTypeUrl,
		})
		last := ""
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(upload.Info{}, s.fail("list", prefix, listError(ctx, err)))
				return
			}
			for _, o := range page.Contents {
				key, err := decoded(page.EncodingType, o.Key)
				if err != nil || !strings.HasPrefix(key, s.prefix+prefix) || key < last {
					yield(upload.Info{}, s.fail("list", prefix, fmt.Errorf("the server lists %q after %q", aws.ToString(o.Key), last)))
					return
				}
				last = key
				info := upload.Info{
					Name: key[len(s.prefix):], Size: aws.ToInt64(o.Size), Version: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified),
				}
				if upload.CheckName(info.Name) != nil {
					continue
				}
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// unlistable reports whether no legal name begins so. Some servers refuse to look.
func unlistable(prefix string) bool {
	return strings.HasPrefix(prefix, ".") || strings.Contains(prefix, "/.")
}

// listError classifies the error of a listing. It names no object, so that none can be
// missing.
func listError(ctx context.Context, err error) error {
	if err = classify(ctx, err); errors.Is(err, upload.ErrNotExist) {
		return fmt.Errorf("%w: the server takes the bucket for an object, as it does if the endpoint names the bucket, too: %s", upload.ErrNoBucket, err.Error()) // not ErrNotExist
	}
	return err
}

// deleteBatch is how many objects S3 deletes in one request.
const deleteBatch = 1000

// Delete implements upload.Store.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	ids := make([]types.ObjectIdentifier, len(names))
	for i, name := range names {
		key, err := s.key("delete", name)
		if err != nil {
			return err
		}
		ids[i].Key = key
	}
	return s.delete(ctx, ids)
}

func (s *Store) delete(ctx context.Context, ids []types.ObjectIdentifier) error {
	var errs []error
	for batch := range slices.Chunk(ids, deleteBatch) {
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.o.Bucket, Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)},
		})
		if err != nil {
			err = classify(ctx, err)
			for _, id := range batch {
				errs = append(errs, s.fail("delete", (*id.Key)[len(s.prefix):], err))
			}
			continue
		}
		for _, e := range out.Errors {
			cause := fmt.Errorf("%s: %s", aws.ToString(e.Code), aws.ToString(e.Message))
			sentinel := meaningOf(aws.ToString(e.Code), 0, false)
			if sentinel == nil && strings.Contains(aws.ToString(e.Message), "WORM protected") {
				sentinel = upload.ErrDenied // MinIO's InvalidRequest of a locked version; S3 says AccessDenied
			}
			if errors.Is(sentinel, upload.ErrNotExist) {
				continue
			}
			if sentinel != nil {
				cause = fmt.Errorf("%w: %w", sentinel, cause)
			}
			errs = append(errs, s.fail("delete", strings.TrimPrefix(aws.ToString(e.Key), s.prefix), cause))
		}
	}
	return errors.Join(errs...)
}

// Uploads implements upload.Store.
func (s *Store) Uploads(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		seen := map[string]bool{}
		for u, err := range s.uploads(ctx, prefix) {
			if err != nil {
				yield("", s.fail("uploads", prefix, err))
				return
			}
			name := aws.ToString(u.Key)[len(s.prefix):]
			if seen[name] || upload.CheckName(name) != nil {
				continue
			}
			seen[name] = true
			if !yield(name, nil) {
				return
			}
		}
	}
}

// uploads yields the multipart uploads whose names start with prefix.
func (s *Store) uploads(ctx context.Context, prefix string) iter.Seq2[types.MultipartUpload, error] {
	return func(yield func(types.MultipartUpload, error) bool) {
		pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{
			Bucket: &s.o.Bucket, Prefix: aws.String(s.prefix + prefix),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(types.MultipartUpload{}, listError(ctx, err))
				return
			}
			for _, u := range page.Uploads {
				if strings.HasPrefix(aws.ToString(u.Key), s.prefix+prefix) && !yield(u, nil) {
					return
				}
			}
		}
	}
}

// AbortUpload implements upload.Store.
func (s *Store) AbortUpload(ctx context.Context, name string) error {
	key, err := s.key("abort", name)
	if err != nil {
		return err
	}
	var open []*string
	for u, err := range s.uploads(ctx, name) {
		if err != nil {
			return s.fail("abort", name, err)
		}
		if aws.ToString(u.Key) == *key {
			open = append(open, u.UploadId)
		}
	}
	var errs []error
	for _, id := range open {
		errs = append(errs, multipart{s, key, id}.abort(ctx))
	}
	return s.fail("abort", name, errors.Join(errs...))
}
