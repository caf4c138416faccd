package cli

import (
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
)

// StoreFlags say how to reach an s3:// store, in addition to its URL and to the standard
// AWS environment variables and profiles.
type StoreFlags struct {
	// Limits of what goes to and comes from the store.
	Limits upload.Limits

	s3        s3store.Options
	pathStyle bool
}

// Bind adds the flags to fs.
func (f *StoreFlags) Bind(fs *pflag.FlagSet) {
	fs.StringVar(&f.s3.Endpoint, "s3-endpoint", "", "URL of an S3 service other than AWS")
	fs.BoolVar(&f.pathStyle, "s3-path-style", true, "with --s3-endpoint: address buckets by path, not by host name")
	fs.StringVar(&f.s3.BucketOwner, "s3-bucket-owner", "", "account that must own the bucket; the store denies every request to the bucket of another")
	fs.StringVar(&f.s3.SSE, "s3-sse", "", "server-side encryption of new objects: s3, kms or kms:<key id or ARN> (default: as the bucket is set)")
	fs.Var((*Bytes)(&f.Limits.UploadBytes), "upload-rate", "most bytes a second to the store (default: no limit)")
	fs.Var((*Bytes)(&f.Limits.RestoreBytes), "restore-rate", "most bytes a second from the store (default: no limit)")
	fs.IntVar(&f.Limits.InFlight, "requests-in-flight", 0, "most requests to the store at once, 2 or more, parts of one object counted as one (default: no limit)")
	fs.StringVar(&f.s3.Region, "s3-region", "", "region of the bucket (default: AWS_REGION or the profile's)")
}

// Options returns what the flags say.
func (f *StoreFlags) Options() s3store.Options {
	f.s3.VirtualHosted = !f.pathStyle
	return f.s3
}
