package s3store

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"time"
)

// Options of a Store. A zero field is taken from the AWS environment variables and
// profiles, or has the default that is stated.
type Options struct {
	// Bucket must exist. Required.
	Bucket string
	// Prefix and a slash come before every name. Zero: no prefix.
	Prefix string
	// Endpoint is the URL of a service other than AWS. Zero: AWS_ENDPOINT_URL_S3 or
	// the profile, else AWS.
	Endpoint string
	// Region of the bucket. Zero: AWS_REGION or the profile, else us-east-1.
	Region string
	// VirtualHosted addresses the bucket by host name at an Endpoint, too. Zero: by
	// path at an Endpoint, by host name at AWS.
	VirtualHosted bool
	// AccessKeyID and SecretAccessKey, and SessionToken where there is one, are
	// credentials. Zero: the SDK's default chain.
	AccessKeyID, SecretAccessKey, SessionToken string
	// BucketOwner is the account that must own the bucket, twelve digits at AWS. The server denies
	// every request to the bucket of another. Zero: not checked.
	BucketOwner string
	// SSE is how the server encrypts new objects: "s3" with keys of its own, "kms" with the
	// account's default key of KMS, "kms:<id or ARN>" with that key. Zero: as the bucket is set.
	SSE string

	// MultipartBytes is the size above which an object is uploaded in parts.
	// Zero: 64 MiB.
	MultipartBytes int64
	// PartBytes is the least size of a part, at least 5 MiB as S3 requires. Parts
	// are larger where there would be more than 10 000. Zero: 16 MiB.
	PartBytes int64
	// Parallel bounds the parts of one object in flight. Zero: 4.
	Parallel int
	// CopyBytes is the size above which an object is copied in parts of that size.
	// At most 5 GiB, which is the default.
	CopyBytes int64

	// Throttled, if not nil, is called when the server throttles a request that the store
	// repeats by itself: one of a large object's parts. Other requests fail with
	// upload.ErrThrottled. It is called from the goroutine of the request.
	Throttled func()

	// Logger gets what the server lacks and a job can do without, and what the SDK has to
	// say. Nil: slog.Default().
	Logger *slog.Logger

	// DialTimeout bounds the opening of a connection. Zero: 10 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for an answer once the request is sent.
	// Zero: 20 s.
	HeaderTimeout time.Duration
	// StallTimeout bounds the wait for the next bytes of a body. Zero: 20 s.
	StallTimeout time.Duration
}

const (
	mib          = 1 << 20
	minPartBytes = 5 * mib
	maxParts     = 10_000
	maxCopyBytes = 5 << 30 // what S3 copies in one request
)

func (o Options) withDefaults() Options {
	o.Prefix = strings.Trim(o.Prefix, "/")
	def(&o.MultipartBytes, 64*mib)
	def(&o.PartBytes, 16*mib)
	def(&o.Parallel, 4)
	def(&o.CopyBytes, maxCopyBytes)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	def(&o.DialTimeout, 10*time.Second)
	def(&o.HeaderTimeout, 20*time.Second)
	def(&o.StallTimeout, 20*time.Second)
	return o
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Bucket == "" || strings.ContainsAny(o.Bucket, "/?# ") {
		bad("bucket %q: give the name of a bucket", o.Bucket)
	}
	if err := o.validateEndpoint(); err != nil {
		errs = append(errs, err)
	}
	if (o.AccessKeyID == "") != (o.SecretAccessKey == "") {
		bad("give both an access key id and a secret access key, or neither")
	}
	if kind, key, ok := strings.Cut(o.SSE, ":"); o.SSE != "" && o.SSE != "s3" && (kind != "kms" || ok && key == "") {
		bad("server-side encryption %q: write s3, kms or kms:<key id or ARN>", o.SSE)
	}
	if o.PartBytes < minPartBytes {
		bad("part size %d: at least %d bytes", o.PartBytes, minPartBytes)
	}
	if o.MultipartBytes < 0 || o.MultipartBytes > maxCopyBytes {
		bad("multipart threshold %d: between 0 and %d bytes", o.MultipartBytes, int64(maxCopyBytes))
	}
	if o.CopyBytes < minPartBytes || o.CopyBytes > maxCopyBytes {
		bad("copy size %d: between %d and %d bytes", o.CopyBytes, minPartBytes, int64(maxCopyBytes))
	}
	if o.Parallel < 0 || o.DialTimeout < 0 || o.HeaderTimeout < 0 || o.StallTimeout < 0 {
		bad("parallelism and timeouts must not be negative")
	}
	return errors.Join(errs...)
}

// validateEndpoint catches what would otherwise be an answer that leads nowhere.
func (o Options) validateEndpoint() error {
	if o.Endpoint == "" {
		return nil
	}
	e, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https":
		return fmt.Errorf("endpoint %q: write http://host:port or https://host", o.Endpoint)
	case o.Bucket != "" && path.Base(e.Path) == o.Bucket:
		return fmt.Errorf("endpoint %q names the bucket: write the URL of the service alone, and the bucket in s3://%s", o.Endpoint, o.Bucket)
	}
	return nil
}
