package s3store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// seen are the requests that a proxy passed on or answered.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (s *seen) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}

// useAll sends a request of every kind.
func useAll(t *testing.T, s upload.Store) {
	t.Helper()
	for name, size := range map[string]int{"small": 10, "large": 7 * mib} {
		if _, err := s.Put(t.Context(), name, upload.BodyFromBytes(make([]byte, size)), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Copy(t.Context(), name, name+"-copy"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := upload.ReadAll(t.Context(), s, "small-copy", 100); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantNoUploads(t, s)
	if err := s.Delete(t.Context(), "small", "large"); err != nil {
		t.Fatal(err)
	}
}

// Requests that make an object say how it is encrypted, and all say who owns the bucket.
func TestEncryptionAndOwner(t *testing.T) {
	server := s3server.ForTest(t)
	for sse, want := range map[string][2]string{"": {}, "s3": {"AES256"}, "kms": {"aws:kms"}, "kms:key-1": {"aws:kms", "key-1"}} {
		o := options(t, server)
		o.SSE, o.BucketOwner = sse, s3server.AccessKey
		var all seen
		o.Endpoint = proxy(t, server, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			all.add(r.Clone(r.Context()))
			return false
		})
		useAll(t, open(t, o))
		makes := 0
		for _, r := range all.requests {
			if got := r.Header.Get("X-Amz-Expected-Bucket-Owner"); got != o.BucketOwner {
				t.Errorf("%s %s expects the owner %q", r.Method, r.URL, got)
			}
			expect := [2]string{}
			if isPut(r) || r.URL.Query().Get("x-id") == "CopyObject" || r.Method == http.MethodPost && r.URL.Query().Has("uploads") {
				makes++
				expect = want
			}
			if got := [2]string{r.Header.Get("X-Amz-Server-Side-Encryption"), r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")}; got != expect {
				t.Errorf("sse %q: %s %s says %q, want %q", sse, r.Method, r.URL, got, expect)
			}
		}
		if makes != 4 {
			t.Errorf("%d requests made an object", makes)
		}
	}
}

// A key that may not be used is a permanent error that says so; what is stored stays.
func TestKeyThatIsDenied(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	var code, message string
	var puts atomic.Int64
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if code == "" || !isPut(r) {
			return false
		}
		puts.Add(1)
		w.WriteHeader(map[bool]int{true: 403, false: 400}[code == "AccessDenied"])
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
		return true
	})
	o.SSE = "kms:key-1"
	bare := open(t, o)
	s := upload.Retrying(bare, quick)
	if _, err := s.Put(t.Context(), "before", upload.BodyFromBytes([]byte("kept")), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	message = "User x is not authorized to perform: kms:GenerateDataKey on resource y"
	for _, code = range []string{"AccessDenied", "KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException", "XMinioKMSKeyNotFound"} {
		puts.Store(0)
		_, err := s.Put(t.Context(), "after", upload.BodyFromBytes(nil), upload.PutOptions{})
		if !errors.Is(err, upload.ErrKey) || !errors.Is(err, upload.ErrDenied) || !upload.Refused(err) || puts.Load() != 1 {
			t.Errorf("%s after %d requests: %v", code, puts.Load(), err)
		}
		if err := bare.Probe(t.Context()); !errors.Is(err, upload.ErrKey) || !strings.Contains(err.Error(), "kms:GenerateDataKey and kms:Decrypt") {
			t.Errorf("%s: the probe says %v", code, err)
		}
	}
	code = ""
	if b, _, err := upload.ReadAll(t.Context(), s, "before", 100); err != nil || string(b) != "kept" {
		t.Errorf("what was stored is %q, %v", b, err)
	}
}

// A server that ignores the wish for encryption is refused.
func TestServerThatDoesNotEncrypt(t *testing.T) {
	server := s3server.ForTest(t)
	o := options(t, server)
	o.SSE = "s3"
	s := open(t, o)
	if err := s.Probe(t.Context()); !errors.Is(err, upload.ErrUnsupported) || !strings.Contains(err.Error(), "does not encrypt") {
		t.Errorf("the probe says %v", err)
	}
	wantEmpty(t, s)
}

func TestBucketOfAnotherOwner(t *testing.T) {
	server := s3server.ForTest(t)
	o := options(t, server)
	o.BucketOwner = "111122223333"
	if err := open(t, o).Probe(t.Context()); !errors.Is(err, upload.ErrDenied) || !strings.Contains(err.Error(), "account 111122223333 owns the bucket") {
		t.Errorf("the probe says %v", err)
	}
}

// sign signs a request again, without the token, which versitygw does not know.
func sign(t *testing.T, r *http.Request) {
	r.Header.Del("X-Amz-Security-Token")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	c := aws.Credentials{AccessKeyID: s3server.AccessKey, SecretAccessKey: s3server.SecretKey}
	if err := signer.SignHTTP(r.Context(), c, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", s3server.Region, time.Now()); err != nil {
		t.Error(err)
	}
}

// Credentials that expire in the middle of an upload are read again, and the upload goes
// on: from a file that was rewritten, and from a process.
func TestCredentialsThatRotate(t *testing.T) { // I11
	server := s3server.ForTest(t)
	dir := t.TempDir()
	file, process, profile := filepath.Join(dir, "credentials"), filepath.Join(dir, "process"), filepath.Join(dir, "config")
	rotate := func(token string) {
		for path, text := range map[string]string{
			file: fmt.Sprintf("[file]\naws_access_key_id=%s\naws_secret_access_key=%s\naws_session_token=%s\n", s3server.AccessKey, s3server.SecretKey, token),
			process: fmt.Sprintf("{\"Version\":1,\"AccessKeyId\":%q,\"SecretAccessKey\":%q,\"SessionToken\":%q,\"Expiration\":\"2999-01-01T00:00:00Z\"}",
				s3server.AccessKey, s3server.SecretKey, token),
			profile: "[profile process]\ncredential_process = cat " + process + "\n[profile file]\n",
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", profile)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	for _, from := range []string{"file", "process"} {
		t.Run(from, func(t *testing.T) {
			t.Setenv("AWS_PROFILE", from)
			rotate("one")
			o := options(t, server)
			o.AccessKeyID, o.SecretAccessKey = "", ""
			valid, parts, denied := "one", 0, 0
			var mu sync.Mutex
			o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				mu.Lock()
				defer mu.Unlock()
				if r.URL.Query().Has("partNumber") {
					if parts++; parts == 2 {
						valid = "two"
						rotate(valid)
					}
				}
				if r.Header.Get("X-Amz-Security-Token") == valid {
					sign(t, r)
					return false
				}
				denied++
				if r.Method == http.MethodHead {
					w.WriteHeader(400)
				} else {
					answer(w, r, 400, "ExpiredToken")
				}
				return true
			})
			s := open(t, o)
			want := bytes.Repeat([]byte("large "), 4*mib)
			if _, err := s.Put(t.Context(), "large", upload.BodyFromBytes(want), upload.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if denied == 0 {
				t.Error("no request met the old credentials")
			}
			for _, use := range []struct {
				what string
				do   func() error
			}{ // each meets credentials that expired just now
				{"swap", func() error {
					_, err := s.Put(t.Context(), "head", upload.BodyFromBytes(nil), ifAbsent)
					return err
				}},
				{"head", func() error { _, err := s.Head(t.Context(), "large"); return err }},
				{"get", func() error {
					b, _, err := upload.ReadAll(t.Context(), s, "large", 100*mib)
					if err == nil && !bytes.Equal(b, want) {
						err = errors.New("other bytes")
					}
					return err
				}},
				{"delete", func() error { return s.Delete(t.Context(), "large") }},
			} {
				mu.Lock()
				valid = "for " + use.what
				rotate(valid)
				mu.Unlock()
				if err := use.do(); err != nil {
					t.Errorf("%s: %v", use.what, err)
				}
			}
			// Where there are none that the server takes, the request ends.
			mu.Lock()
			valid = "none"
			denied = 0
			mu.Unlock()
			if err := s.Delete(t.Context(), "head"); !errors.Is(err, upload.ErrDenied) || denied != 2 {
				t.Errorf("after %d requests: %v", denied, err)
			}
		})
	}
}
