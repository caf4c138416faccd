package s3store

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/smithy-go/logging"
	"pgregory.net/rapid"
)

func TestValidate(t *testing.T) {
	if err := (Options{Bucket: "b"}).Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for want, o := range map[string]Options{
		"name of a bucket":    {},
		"bucket \"a/b\"":      {Bucket: "a/b"},
		"secret access key":   {Bucket: "b", AccessKeyID: "k"},
		"part size":           {Bucket: "b", PartBytes: 1 << 20},
		"multipart threshold": {Bucket: "b", MultipartBytes: 6 << 30},
		"copy size":           {Bucket: "b", CopyBytes: 1},
		"write http://host":   {Bucket: "b", Endpoint: "127.0.0.1:9000"},
		"or https://host":     {Bucket: "b", Endpoint: "ftp://host"},
		"names the bucket":    {Bucket: "b", Endpoint: "http://127.0.0.1:9000/b/"},
		"not be negative":     {Bucket: "b", Parallel: -1},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", o, err, want)
		}
		if _, err := Open(t.Context(), o); err == nil {
			t.Errorf("%+v was opened", o)
		}
	}
}

// What the SDK says is no line of its own, and none at warn.
func TestWhatTheSDKSays(t *testing.T) {
	var log strings.Builder
	said := sdkLog(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	said.Logf(logging.Debug, "no checksum")
	said.Logf(logging.Warn, "falling back to %s", "another way")
	if s := log.String(); !strings.Contains(s, "level=INFO") || !strings.Contains(s, "falling back to another way") || strings.Contains(s, "no checksum") {
		t.Errorf("the log says %s", s)
	}
}

func TestSplit(t *testing.T) { // I1
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 5<<40).Draw(t, "size")
		least := rapid.Int64Range(minPartBytes, 1<<30).Draw(t, "least")
		parts := split(size, least)
		if len(parts) > maxParts {
			t.Fatalf("%d parts", len(parts))
		}
		end := int64(0)
		for i, p := range parts {
			if p.number != int32(i+1) || p.offset != end || p.length <= 0 || p.length < least && i < len(parts)-1 {
				t.Fatalf("part %d is %+v after %d bytes", i, p, end)
			}
			end += p.length
		}
		if end != size {
			t.Fatalf("parts have %d of %d bytes", end, size)
		}
	})
}

func TestCredentialsThatAreMissing(t *testing.T) { // I11
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	s, err := Open(t.Context(), Options{Bucket: "b", Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "check AWS_ACCESS_KEY_ID") {
		t.Errorf("probe without credentials: %v", err)
	}
}
