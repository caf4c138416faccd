package cli

import (
	"github.com/spf13/pflag"

	"github.com/tidemark/tidemark/upload/s3store"
)

// StoreFlags say how to reach an s3:// store, in addition to its URL and to the standard
// AWS environment variables and profiles.
type StoreFlags struct {
	s3        s3store.Options
	pathStyle bool
}

// Bind adds the flags to fs.
func (f *StoreFlags) Bind(fs *pflag.FlagSet) {
	fs.StringVar(&f.s3.Endpoint, "s3-endpoint", "", "URL of an S3 service other than AWS")
	fs.BoolVar(&f.pathStyle, "s3-path-style", true, "with --s3-endpoint: address buckets by path, not by host name")
	fs.StringVar(&f.s3.BucketOwner, "s3-bucket-owner", "", "account that must own the bucket; the store denies every request to the bucket of another")
	fs.StringVar(&f.s3.SSE, "s3-sse", "", "server-side encryption of new objects: s3, kms or kms:<key id or ARN> (default: as the bucket is set)")
	fs.StringVar(&f.s3.Region, "s3-region", "", "region of the bucket (default: AWS_REGION or the profile's)")
}

// Options returns what the flags say.
func (f *StoreFlags) Options() s3store.Options {
	f.s3.VirtualHosted = !f.pathStyle
	return f.s3
}
