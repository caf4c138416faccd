package storeurl_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
	"github.com/tidemark/tidemark/upload/storeurl"
)

func roundTrip(t *testing.T, url string, o storeurl.Options) upload.Store {
	t.Helper()
	s, err := storeurl.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "a/b", upload.BodyFromBytes([]byte("hello")), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := storeurl.Open(t.Context(), url, storeurl.Options{S3: o.S3})
	if err != nil {
		t.Fatal(err)
	}
	if b, _, err := upload.ReadAll(t.Context(), again, "a/b", 10); err != nil || string(b) != "hello" {
		t.Errorf("%s: read %q, %v", url, b, err)
	}
	return s
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	for _, url := range []string{"file://" + dir + "/a", dir + "/b", dir + "/with space"} {
		roundTrip(t, url, storeurl.Options{Create: true})
	}
	if _, err := storeurl.Open(t.Context(), "file://"+filepath.Join(dir, "none"), storeurl.Options{}); !errors.Is(err, upload.ErrNoBucket) {
		t.Errorf("missing directory: %v", err)
	}
}

func TestMemory(t *testing.T) {
	roundTrip(t, "mem://"+t.Name(), storeurl.Options{})
	a, err := storeurl.Open(t.Context(), "mem://", storeurl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(t.Context(), "x", upload.BodyFromBytes(nil), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := storeurl.Open(t.Context(), "mem://", storeurl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Head(t.Context(), "x"); !errors.Is(err, upload.ErrNotExist) {
		t.Errorf("stores without a name are the same: %v", err)
	}
}

func TestS3(t *testing.T) {
	server := s3server.ForTest(t)
	if err := server.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	for _, env := range server.Env() { // the standard variables
		name, value, _ := strings.Cut(env, "=")
		t.Setenv(name, value)
	}
	s := roundTrip(t, "s3://jobs/some/prefix", storeurl.Options{Probe: true})
	if got := s.String(); got != "s3://jobs/some/prefix" {
		t.Errorf("URL is %s", got)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	o := s3store.Options{AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey}
	roundTrip(t, "s3://jobs/other?region=us-east-1&endpoint="+server.Endpoint(), storeurl.Options{S3: o, Probe: true})
	roundTrip(t, "s3://jobs?endpoint="+server.Endpoint(), storeurl.Options{S3: o})
	_, err := storeurl.Open(t.Context(), "s3://none?endpoint="+server.Endpoint(), storeurl.Options{S3: o, Probe: true})
	if !errors.Is(err, upload.ErrNoBucket) || !strings.Contains(err.Error(), "create the bucket none") {
		t.Errorf("missing bucket: %v", err)
	}
}

func TestBadURLs(t *testing.T) {
	for url, want := range map[string]string{
		"gs://bucket":                         "unknown scheme",
		"s3://":                               "name of a bucket",
		"s3://bucket?colour=red":              "unknown parameter",
		"s3://bucket?endpoint=localhost:7070": "http://host:port",
		"s3://bucket?virtual-hosted=maybe":    "true or false",
		"s3://bucket?sse=rot13":               "write s3, kms or kms:",
		"s3://bucket/a%zz":                    "not a URL",
		"s3://bucket/a#b":                     "%23",
		"s3://key:hush@bucket/x":              "must not hold credentials",
		"":                                    "no path",
	} {
		_, err := storeurl.Open(t.Context(), url, storeurl.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want one with %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error tells the secret: %v", url, err)
		}
	}
	if _, err := storeurl.Open(t.Context(), "mem://", storeurl.Options{Retry: upload.RetryOptions{Attempts: -1}}); err == nil {
		t.Error("negative attempts are accepted")
	}
}
