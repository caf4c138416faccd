package s3store

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// fresh gets credentials as the SDK does when a program starts. It reads files and
// variables again, so it finds credentials that were rotated.
type fresh struct {
	load []func(*config.LoadOptions) error
}

// Retrieve implements aws.CredentialsProvider.
func (f fresh) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cfg, err := config.LoadDefaultConfig(ctx, f.load...)
	if err != nil {
		return aws.Credentials{}, err
	}
	return cfg.Credentials.Retrieve(ctx)
}

// staleCodes answer a request whose credentials may have been rotated. The server looked at
// nothing else, so the request was not applied.
var staleCodes = []string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}

// renew forgets credentials that the server does not accept, and lets the request be sent
// again with new ones.
func (s *Store) renew(err error) aws.Ternary {
	if !slices.Contains(staleCodes, codeOf(err)) {
		return aws.UnknownTernary
	}
	s.credentials.Invalidate()
	return aws.TrueTernary
}
