package s3store

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// owned makes the server deny a request to a bucket of another owner.
func owned(o *s3.Options, owner string) {
	if owner != "" {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Expected-Bucket-Owner", owner))
	}
}

// encrypted is for requests that make an object: they say how the server encrypts it.
func (s *Store) encrypted(o *s3.Options) {
	set := func(name, value string) {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Server-Side-Encryption"+name, value))
	}
	kind, key, _ := strings.Cut(s.o.SSE, ":")
	switch kind {
	case "s3":
		set("", "AES256")
	case "kms":
		set("", "aws:kms")
	}
	if key != "" {
		set("-Aws-Kms-Key-Id", key)
	}
}
