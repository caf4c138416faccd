package s3store_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

const mib = 1 << 20

var buckets atomic.Int64

// options returns those of a new bucket on server, with small parts.
func options(t *testing.T, server *s3server.Server) s3store.Options {
	t.Helper()
	bucket := fmt.Sprintf("test-%d", buckets.Add(1))
	if err := server.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	return s3store.Options{
		Bucket: bucket, Endpoint: server.Endpoint(), Region: s3server.Region,
		AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey,
		MultipartBytes: 6 * mib, PartBytes: 5 * mib, CopyBytes: 6 * mib,
	}
}

func open(t *testing.T, o s3store.Options) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	server := s3server.ForTest(t)
	storetest.Run(t, func(t *testing.T) upload.Store { return open(t, options(t, server)) })
}
