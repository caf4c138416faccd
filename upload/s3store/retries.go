package s3store

import (
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tidemark/tidemark/upload"
)

// retryer sends a request at most attempts times. Stale credentials aside, first decides
// whether an error is retried, and then the SDK's own rules. The SDK's retry quota is off: with it, requests would fail
// soon after a server died.
func (s *Store) retryer(attempts int, longest time.Duration, first retry.IsErrorRetryableFunc) *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = attempts, longest, ratelimit.None
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(s.renew), first}, o.Retryables...)
	})
}

// plain is for all other requests. It allows a second try after a broken connection, and
// none after an answer that did not come or asks for fewer requests: who waits for it is to
// know.
func (s *Store) plain() aws.Retryer {
	return s.retryer(2, 100*time.Millisecond, func(err error) aws.Ternary {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || throttled(err) {
			return aws.FalseTernary
		}
		return aws.UnknownTernary
	})
}

func throttled(err error) bool { return errors.Is(meaning(err, false), upload.ErrThrottled) }

// once is for requests that must not be applied twice. Stale credentials aside, they are
// not sent again.
func (s *Store) once(o *s3.Options) {
	o.Retryer = s.retryer(2, 100*time.Millisecond, func(error) aws.Ternary { return aws.FalseTernary })
}

// patient is for requests that may be repeated with the same effect, and whose failure
// would cost the whole object.
func (s *Store) patient(o *s3.Options) {
	o.Retryer = s.retryer(4, 2*time.Second, func(err error) aws.Ternary {
		if s.o.Throttled != nil && throttled(err) {
			s.o.Throttled()
		}
		return aws.UnknownTernary
	})
}
