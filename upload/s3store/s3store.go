package s3store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"github.com/tidemark/tidemark/upload"
)

// Store is an upload.Store in an S3 bucket.
type Store struct {
	o      Options
	client *s3.Client
	prefix string // of keys; empty or ending with a slash

	credentials *aws.CredentialsCache
	// mislabels: Probe found an object whose checksum is not that of its bytes.
	mislabels atomic.Bool
	// unsigned: payloads are not hashed for the signature, since TLS protects them
	// or they do not leave the host.
	unsigned bool
}

var _ upload.Store = (*Store)(nil)

// Open returns the store that o describes. It sends no request; see Probe.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open s3 store: %w", err)
	}
	o = o.withDefaults()
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient(o)),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenSupported),
		// Get verifies by itself. Some servers send the checksum of the whole object
		// with a ranged read, and the SDK would fail on it.
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithLogger(sdkLog(o.Logger)),
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("open s3 store: load AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	s := &Store{o: o, credentials: aws.NewCredentialsCache(fresh{load})}
	cfg.Credentials = s.credentials
	if o.Prefix != "" {
		s.prefix = o.Prefix + "/"
	}
	s.client = s3.NewFromConfig(cfg, func(so *s3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = &o.Endpoint
		}
		so.Retryer = s.plain()
		owned(so, o.BucketOwner)
		so.UsePathStyle = so.BaseEndpoint != nil && !o.VirtualHosted
		s.unsigned = so.BaseEndpoint == nil || protects(*so.BaseEndpoint)
	})
	return s, nil
}

// sdkLog passes on what the SDK says. Its warnings are about its own workings: what fails
// is returned as an error.
func sdkLog(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(c logging.Classification, format string, args ...any) {
		level := slog.LevelDebug
		if c == logging.Warn {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, "S3 SDK", "text", fmt.Sprintf(format, args...))
	})
}

func httpClient(o Options) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = o.DialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = o.HeaderTimeout
			t.TLSHandshakeTimeout = o.DialTimeout
			t.MaxIdleConnsPerHost = 64
		})
}

// protects reports whether bytes sent to the endpoint are safe without a
// signature.
func protects(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// payload is for requests with a body.
func (s *Store) payload(o *s3.Options) {
	if s.unsigned {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

// String implements upload.Reader.
func (s *Store) String() string { return "s3://" + s.o.Bucket + "/" + s.o.Prefix }

// Close closes idle connections. The store may still be used.
func (s *Store) Close() error {
	if c, ok := s.client.Options().HTTPClient.(*awshttp.BuildableClient); ok {
		c.GetTransport().CloseIdleConnections()
	}
	return nil
}

func (s *Store) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &upload.Error{Op: op, Store: s.String(), Name: name, Err: err}
}

// key returns the key of a name, which is checked.
func (s *Store) key(op, name string) (*string, error) {
	if err := upload.CheckName(name); err != nil {
		return nil, s.fail(op, name, err)
	}
	return aws.String(s.prefix + name), nil
}

// Get implements upload.Reader.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, upload.Info, error) {
	key, err := s.key("get", name)
	if err != nil {
		return nil, upload.Info{}, err
	}
	reading, cancel := context.WithCancel(ctx)
	out, err := s.client.GetObject(reading, &s3.GetObjectInput{
		Bucket: &s.o.Bucket, Key: key, ChecksumMode: s.checksums(),
	})
	if err != nil {
		cancel()
		return nil, upload.Info{}, s.fail("get", name, classify(ctx, err))
	}
	info := upload.Info{
		Name: name, Size: aws.ToInt64(out.ContentLength), Version: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified),
	}
	info.CRC32C, info.HasCRC32C = decodeCRC(out.ChecksumCRC32C, out.ChecksumType)
	r := s.body(reading, cancel, out.Body)
	if info.HasCRC32C {
		return upload.VerifyReader(r, info.Size, info.CRC32C), info, nil
	}
	return upload.VerifyLength(r, info.Size), info, nil
}

// GetRange implements upload.Reader.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	key, err := s.key("get", name)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 || offset+length < offset {
		return nil, s.fail("get", name, fmt.Errorf("%w: no object has %d bytes from %d", upload.ErrCorrupt, length, offset))
	}
	if length == 0 { // which a range header cannot say
		info, err := s.Head(ctx, name)
		if err == nil && offset > info.Size {
			err = s.fail("get", name, fmt.Errorf("%w: has %d bytes, none at %d", upload.ErrCorrupt, info.Size, offset))
		}
		if err != nil {
			return nil, err
		}
		return http.NoBody, nil
	}
	reading, cancel := context.WithCancel(ctx)
	out, err := s.client.GetObject(reading, &s3.GetObjectInput{
		Bucket: &s.o.Bucket, Key: key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)),
	})
	if err == nil && aws.ToInt64(out.ContentLength) != length {
		err = fmt.Errorf("%w: has %d bytes from %d, not %d", upload.ErrCorrupt, aws.ToInt64(out.ContentLength), offset, length)
		_ = out.Body.Close() // of no interest any more
	}
	if err != nil {
		cancel()
		return nil, s.fail("get", name, classify(ctx, err))
	}
	return upload.VerifyLength(s.body(reading, cancel, out.Body), length), nil
}

// Head implements upload.Reader.
func (s *Store) Head(ctx context.Context, name string) (upload.Info, error) {
	key, err := s.key("head", name)
	if err != nil {
		return upload.Info{}, err
	}
	out, err := s.head(ctx, key)
	if err != nil {
		return upload.Info{}, s.fail("head", name, err)
	}
	info := upload.Info{
		Name: name, Size: aws.ToInt64(out.ContentLength), Version: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified),
	}
	info.CRC32C, info.HasCRC32C = decodeCRC(out.ChecksumCRC32C, out.ChecksumType)
	return info, nil
}

func (s *Store) head(ctx context.Context, key *string) (*s3.HeadObjectOutput, error) {
	for try := 0; ; try++ {
		out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: key, ChecksumMode: s.checksums()})
		if err == nil || !isStatus(err, http.StatusNotFound, http.StatusBadRequest, http.StatusForbidden) {
			return out, classify(ctx, err)
		}
		// The answer to a HEAD has no body: a 404 does not say whether object or bucket is
		// missing, a 400 or 403 does not say that the credentials have expired.
		refused := err
		get, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: key, Range: aws.String("bytes=0-0")})
		if err == nil {
			err = get.Body.Close()
		}
		if err != nil && !isStatus(err, http.StatusRequestedRangeNotSatisfiable) {
			return nil, classify(ctx, err)
		}
		if try == 2 && isStatus(refused, http.StatusNotFound) { // it came into being each time in between
			return nil, upload.ErrNotExist
		} else if try == 2 {
			return nil, classify(ctx, refused)
		}
	}
}

func encodeCRC(crc uint32) *string {
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc)))
}

// checksums asks for an object's checksum, unless the server's cannot be believed.
func (s *Store) checksums() types.ChecksumMode {
	if s.mislabels.Load() {
		return ""
	}
	return types.ChecksumModeEnabled
}

// decodeCRC returns false where text is not the checksum of the whole content:
// that of a composite one has the number of its parts behind it.
func decodeCRC(text *string, kind types.ChecksumType) (uint32, bool) {
	if text == nil || kind == types.ChecksumTypeComposite || strings.Contains(*text, "-") {
		return 0, false
	}
	b, err := base64.StdEncoding.DecodeString(*text)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}
