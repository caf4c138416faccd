package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
)

var _ upload.Versioned = (*Store)(nil)

// Versions implements upload.Versioned. In a bucket that never had versions every object is
// its one version.
func (s *Store) Versions(ctx context.Context, prefix string) iter.Seq2[upload.Version, error] {
	return func(yield func(upload.Version, error) bool) {
		if unlistable(prefix) {
			return
		}
		in := &s3.ListObjectVersionsInput{Bucket: &s.o.Bucket, Prefix: aws.String(s.prefix + prefix), EncodingType: types.EncodingTypeUrl}
		last := ""
		for more := true; more; {
			page, err := s.client.ListObjectVersions(ctx, in)
			if err != nil {
				yield(upload.Version{}, s.fail("versions", prefix, listError(ctx, err)))
				return
			}
			all, err := versionsIn(page)
			for _, v := range all {
				if err == nil && (!strings.HasPrefix(v.Name, s.prefix+prefix) || v.Name < last) {
					err = fmt.Errorf("the server lists %q after %q", v.Name, last)
				}
				if err != nil {
					break
				}
				last = v.Name
				v.Name = v.Name[len(s.prefix):]
				if upload.CheckName(v.Name) == nil && !yield(v, nil) {
					return
				}
			}
			// The SDK's paginator passes the marker on as it comes, encoded.
			more, in.VersionIdMarker = aws.ToBool(page.IsTruncated), page.NextVersionIdMarker
			if err == nil && more {
				var marker string
				marker, err = decoded(page.EncodingType, page.NextKeyMarker)
				in.KeyMarker = &marker
			}
			if err != nil {
				yield(upload.Version{}, s.fail("versions", prefix, err))
				return
			}
		}
	}
}

// decoded returns a key of a page in that encoding.
func decoded(encoding types.EncodingType, key *string) (string, error) {
	if encoding == types.EncodingTypeUrl {
		return url.QueryUnescape(aws.ToString(key))
	}
	return aws.ToString(key), nil
}

// versionsIn puts the versions and delete markers of a page, which come apart, into order.
func versionsIn(page *s3.ListObjectVersionsOutput) (all []upload.Version, err error) {
	add := func(key *string, v upload.Version) {
		var bad error
		v.Name, bad = decoded(page.EncodingType, key)
		err = errors.Join(err, bad)
		all = append(all, v)
	}
	for _, o := range page.Versions {
		add(o.Key, upload.Version{ID: aws.ToString(o.VersionId), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), Current: aws.ToBool(o.IsLatest)})
	}
	for _, o := range page.DeleteMarkers {
		add(o.Key, upload.Version{ID: aws.ToString(o.VersionId), Modified: aws.ToTime(o.LastModified), Current: aws.ToBool(o.IsLatest), Marker: true})
	}
	latest := map[bool]int{true: 0, false: 1}
	slices.SortStableFunc(all, func(a, b upload.Version) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(latest[a.Current], latest[b.Current]), b.Modified.Compare(a.Modified))
	})
	return all, err
}

// DeleteVersions implements upload.Versioned.
func (s *Store) DeleteVersions(ctx context.Context, versions ...upload.Version) error {
	ids := make([]types.ObjectIdentifier, len(versions))
	for i, v := range versions {
		key, err := s.key("delete", v.Name)
		if err != nil {
			return err
		}
		ids[i] = types.ObjectIdentifier{Key: key, VersionId: &v.ID}
	}
	return s.delete(ctx, ids)
}
