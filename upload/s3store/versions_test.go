package s3store_test

import (
	"log/slog"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// versioned turns on versions in the bucket of o.
func versioned(t *testing.T, o s3store.Options) s3store.Options {
	t.Helper()
	_, err := client(o).PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(o.Bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// client returns the SDK's client of the server, for a bucket's settings.
func client(o s3store.Options) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &o.Endpoint, Region: o.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, ""),
	})
}

// second is how often the clock of the slowest server advances.
const second = 1100 * time.Millisecond

func TestVersions(t *testing.T) {
	server := s3server.ForTest(t)
	storetest.RunVersions(t, second, func(t *testing.T) upload.Versioned {
		if path.Base(t.Name()) == "delete_absent_versions" {
			t.Skip("versitygw refuses it, and so it does IfAbsent of a deleted name; S3 and MinIO do not")
		}
		return open(t, versioned(t, options(t, server)))
	})
}

// Servers that keep versions pass the whole suite while they do.
func TestVersionsServers(t *testing.T) {
	on(t, []string{"MinIO", "SeaweedFS"}, func(t *testing.T, _ *s3server.Server, o s3store.Options) {
		kind := path.Base(t.Name())
		versioned(t, o)
		opened := func(t *testing.T) upload.Versioned {
			if why := differs[kind][path.Base(t.Name())]; why != "" {
				t.Skip(why)
			}
			o := o
			o.Logger = slog.New(slog.DiscardHandler)
			o.Prefix = strings.ReplaceAll(t.Name(), "/", "-")
			return open(t, o)
		}
		storetest.RunVersions(t, second, opened)
		storetest.Run(t, func(t *testing.T) upload.Store { return upload.Retrying(opened(t), quick) })
	})
}

// In a bucket that never had versions each object is its one version.
func TestNoVersions(t *testing.T) {
	s := open(t, options(t, s3server.ForTest(t)))
	for _, name := range []string{"a", "a", "b"} {
		if _, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte("x")), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for v, err := range s.Versions(t.Context(), "") {
		if err != nil || v.Name != "a" || !v.Current || v.Marker {
			t.Errorf("%+v, %v", v, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d versions", n)
	}
}
