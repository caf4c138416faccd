package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/tidemark/tidemark/upload"
)

// classify wraps the SDK's error err with the sentinel that it means, if any.
func classify(ctx context.Context, err error) error { return classifyAs(ctx, err, false) }

// classifyAs is classify, told whether the request was conditional.
func classifyAs(ctx context.Context, err error, conditional bool) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	if sentinel := meaning(err, conditional); sentinel != nil && !errors.Is(err, sentinel) {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return err
}

// meaning returns the sentinel of an error of the SDK, or nil.
func meaning(err error, conditional bool) error {
	status := 0
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	code := codeOf(err)
	s := meaningOf(code, status, conditional)
	if s == upload.ErrDenied && strings.Contains(err.Error(), "kms:") {
		return upload.ErrKey // AWS: not authorized to perform kms:GenerateDataKey
	}
	if s != nil {
		return s
	}
	if status == 0 && strings.Contains(err.Error(), "get credentials") {
		return upload.ErrDenied // none were found, or they could not be fetched
	}
	return nil
}

// codeOf returns the code in the answer's body, or "".
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// meaningOf returns the sentinel of an answer with that code in its body and
// that HTTP status, or nil. Codes go before statuses: they say more.
func meaningOf(code string, status int, conditional bool) error {
	switch code {
	case "NoSuchKey":
		return upload.ErrNotExist
	case "NoSuchBucket":
		return upload.ErrNoBucket
	case "PreconditionFailed":
		return upload.ErrPrecondition
	case "ConditionalRequestConflict", "OperationAborted":
		return upload.ErrConflict // nothing was applied or decided
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
		"InvalidToken", "TokenRefreshRequired", "XAdminUserNotFound", "XAdminAccessDenied", "InvalidObjectState":
		return upload.ErrDenied
	case "RequestTimeTooSkewed":
		return upload.ErrClock
	case "SlowDown", "TooManyRequests", "Throttling", "ThrottlingException", "RequestLimitExceeded", "BandwidthLimitExceeded",
		"RequestThrottled", "TooManyRequestsException", "KMS.ThrottlingException":
		return upload.ErrThrottled
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidRange", "IncompleteBody":
		return upload.ErrCorrupt
	case "QuotaExceeded", "QuotaExceededException", "NoSpaceLeftOnDevice", "InsufficientStorage", "XMinioStorageFull",
		"XMinioAdminBucketQuotaExceeded", "ServiceQuotaExceededException":
		return upload.ErrNoSpace
	case "NotImplemented", "MethodNotAllowed":
		return upload.ErrUnsupported
	case "KeyTooLongError":
		return upload.ErrName
	}
	if strings.Contains(strings.ToUpper(code), "KMS") { // KMS.DisabledException, kms:KeyNotFound, XMinioKMSKeyNotFound
		return upload.ErrKey
	}
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return upload.ErrDenied
	case http.StatusPreconditionFailed:
		return upload.ErrPrecondition
	case http.StatusTooManyRequests:
		return upload.ErrThrottled
	case http.StatusServiceUnavailable:
		// Some servers answer so when a write reached only some of their disks;
		// ErrThrottled would claim that nothing was applied.
		if !conditional {
			return upload.ErrThrottled
		}
	case http.StatusInsufficientStorage:
		return upload.ErrNoSpace
	case http.StatusRequestedRangeNotSatisfiable:
		return upload.ErrCorrupt
	case http.StatusNotImplemented:
		return upload.ErrUnsupported
	}
	return nil
}

// isStatus reports whether err is an answer with one of those HTTP statuses.
func isStatus(err error, statuses ...int) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && slices.Contains(statuses, response.HTTPStatusCode())
}
