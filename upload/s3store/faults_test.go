package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/s3store"
	"github.com/tidemark/tidemark/upload/storetest"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

var quick = upload.RetryOptions{Base: time.Millisecond, Max: 10 * time.Millisecond}

// TestStoreDecorated runs the suite as the engine uses the store.
func TestStoreDecorated(t *testing.T) {
	server := s3server.ForTest(t)
	storetest.Run(t, func(t *testing.T) upload.Store {
		o := options(t, server)
		o.Prefix = "/team a/"
		return upload.Prefixed(upload.Retrying(open(t, o), quick), "job-1")
	})
}

// proxy stands between client and server. Its intercept may answer a request by
// itself, and then returns true; forward passes the request on.
func proxy(t *testing.T, server *s3server.Server, intercept func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool) string {
	t.Helper()
	target, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}}
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !intercept(w, r, forward) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p.URL
}

func answer(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>as the test wants it</Message></Error>`)
}

func isPut(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.RawQuery == "x-id=PutObject"
}

func isDelete(r *http.Request) bool { return r.URL.Query().Has("delete") }

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

var ifAbsent = upload.PutOptions{IfAbsent: true}

func TestLostAcknowledgement(t *testing.T) { // I6, I7
	server := s3server.ForTest(t)
	large := bytes.Repeat([]byte("large "), 2*mib)
	for what, c := range map[string]struct {
		is   func(*http.Request) bool
		body []byte
	}{"whole": {isPut, []byte("mine")}, "parts": {isComplete, large}} {
		t.Run(what, func(t *testing.T) {
			o := options(t, server)
			var lost, seen atomic.Int64
			o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
				if !c.is(r) {
					return false
				}
				seen.Add(1)
				if lost.Add(1) > 1 {
					return false
				}
				forward.ServeHTTP(httptest.NewRecorder(), r) // applied
				panic(http.ErrAbortHandler)                  // and never acknowledged
			})
			s := open(t, o)
			_, err := s.Put(t.Context(), "a", upload.BodyFromBytes(c.body), ifAbsent)
			if err == nil || errors.Is(err, upload.ErrPrecondition) || seen.Load() != 1 {
				t.Errorf("the store itself: %v, sent %d times", err, seen.Load())
			}
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			lost.Store(0)
			if _, err := upload.Retrying(s, quick).Put(t.Context(), "a", upload.BodyFromBytes(c.body), ifAbsent); err != nil {
				t.Errorf("with retries: %v", err)
			}
			if b, _, err := upload.ReadAll(t.Context(), s, "a", 100*mib); err != nil || !bytes.Equal(b, c.body) {
				t.Errorf("the object has %d bytes, %v", len(b), err)
			}
			wantNoUploads(t, s)
		})
	}
}

func wantNoUploads(t *testing.T, s upload.Store) {
	t.Helper()
	for name, err := range s.Uploads(t.Context(), "") {
		t.Errorf("multipart upload of %s is left open; %v", name, err)
	}
}

func TestAnswers(t *testing.T) { // I11
	server := s3server.ForTest(t)
	large := make([]byte, 7*mib)
	for _, c := range []struct {
		what   string
		is     func(*http.Request) bool
		status int
		code   string
		body   []byte
		o      upload.PutOptions
		want   error // nil: none of the sentinels
	}{
		{"slow down", isPut, 503, "SlowDown", nil, upload.PutOptions{}, upload.ErrThrottled},
		{"slow down, conditional", isPut, 503, "SlowDown", nil, ifAbsent, upload.ErrThrottled},
		{"unavailable", isPut, 503, "ServiceUnavailable", nil, upload.PutOptions{}, upload.ErrThrottled},
		{"unavailable, conditional", isPut, 503, "ServiceUnavailable", nil, ifAbsent, nil},
		{"too many", isPut, 429, "TooManyRequests", nil, ifAbsent, upload.ErrThrottled},
		{"conflict", isPut, 409, "ConditionalRequestConflict", nil, ifAbsent, upload.ErrThrottled},
		{"precondition", isPut, 412, "PreconditionFailed", nil, ifAbsent, upload.ErrPrecondition},
		{"if-match of none", isPut, 404, "NoSuchKey", nil, upload.PutOptions{IfMatch: "x"}, upload.ErrPrecondition},
		{"internal", isPut, 500, "InternalError", nil, upload.PutOptions{}, nil},
		{"denied", isPut, 403, "AccessDenied", nil, upload.PutOptions{}, upload.ErrDenied},
		{"clock", isPut, 403, "RequestTimeTooSkewed", nil, upload.PutOptions{}, upload.ErrDenied},
		{"full", isPut, 507, "InsufficientStorage", nil, upload.PutOptions{}, upload.ErrNoSpace},
		{"quota", isPut, 403, "QuotaExceeded", nil, upload.PutOptions{}, upload.ErrNoSpace},
		{"damaged on the way", isPut, 400, "BadDigest", nil, upload.PutOptions{}, upload.ErrCorrupt},
		{"not S3", isPut, 404, "", nil, upload.PutOptions{}, nil},
		{"200 with an error", isComplete, 200, "InternalError", large, upload.PutOptions{}, nil},
		{"200 with throttling", isComplete, 200, "SlowDown", large, ifAbsent, upload.ErrThrottled},
		{"complete conflicts", isComplete, 409, "ConditionalRequestConflict", large, ifAbsent, upload.ErrThrottled},
		{"complete refused", isComplete, 412, "PreconditionFailed", large, ifAbsent, upload.ErrPrecondition},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := options(t, server)
			var seen atomic.Int64
			o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if c.is(r) {
					seen.Add(1)
					answer(w, r, c.status, c.code)
				}
				return c.is(r)
			})
			s := open(t, o)
			_, err := s.Put(t.Context(), "a", upload.BodyFromBytes(c.body), c.o)
			var e *upload.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			for _, sentinel := range []error{upload.ErrPrecondition, upload.ErrDenied, upload.ErrNoBucket, upload.ErrNoSpace,
				upload.ErrCorrupt, upload.ErrThrottled, upload.ErrName, upload.ErrUnsupported} {
				if errors.Is(err, sentinel) != (sentinel == c.want) {
					t.Errorf("error is %v, want %v", err, c.want)
				}
			}
			if conditional := c.o != (upload.PutOptions{}); conditional && seen.Load() != 1 {
				t.Errorf("a conditional request was sent %d times", seen.Load())
			}
			wantNoUploads(t, s) // I5
		})
	}
}

func TestThrottlingPasses(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	var left atomic.Int64
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if left.Add(-1) >= 0 {
			answer(w, r, 503, "SlowDown")
			return true
		}
		return false
	})
	s := upload.Retrying(open(t, o), quick)
	left.Store(5)
	info, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("1")), ifAbsent)
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	left.Store(5)
	if _, err := s.Put(t.Context(), "head", upload.BodyFromBytes([]byte("2")), upload.PutOptions{IfMatch: info.Version}); err != nil {
		t.Fatalf("compare and swap: %v", err)
	}
	left.Store(5)
	if b, _, err := upload.ReadAll(t.Context(), s, "head", 10); err != nil || string(b) != "2" {
		t.Errorf("get: %q, %v", b, err)
	}
	left.Store(5)
	if err := s.Delete(t.Context(), "head"); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestDeleteErrorsByKey(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	o.Prefix = "p"
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !r.URL.Query().Has("delete") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+
			`<Error><Key>p/b</Key><Code>AccessDenied</Code><Message>no</Message></Error>`+
			`<Error><Key>p/c</Key><Code>NoSuchKey</Code><Message>gone</Message></Error>`+
			`<Error><Key>p/d</Key><Code>InternalError</Code><Message>oops</Message></Error></DeleteResult>`)
		return true
	})
	err := open(t, o).Delete(t.Context(), "a", "b", "c", "d")
	if !errors.Is(err, upload.ErrDenied) {
		t.Fatalf("error is %v", err)
	}
	for text, want := range map[string]bool{"/a:": false, "/b:": true, "/c:": false, "/d:": true} {
		if strings.Contains(err.Error(), text) != want {
			t.Errorf("error is %v; names %s: want %v", err, text, want)
		}
	}
}

func TestBodyCutShort(t *testing.T) {
	server := s3server.ForTest(t)
	o := options(t, server)
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	var cuts atomic.Int64
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		if r.Method != http.MethodGet || cuts.Add(-1) < 0 {
			return false
		}
		rec := httptest.NewRecorder()
		forward.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:300_000])
		panic(http.ErrAbortHandler)
	})
	s := open(t, o)
	if _, err := s.Put(t.Context(), "a", upload.BodyFromBytes(want), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	cuts.Store(1)
	if _, _, err := upload.ReadAll(t.Context(), s, "a", 10*mib); err == nil {
		t.Error("a body that was cut short was read")
	}
	cuts.Store(2)
	if b, _, err := upload.ReadAll(t.Context(), upload.Retrying(s, quick), "a", 10*mib); err != nil || !bytes.Equal(b, want) {
		t.Errorf("with retries read %d bytes, %v", len(b), err)
	}
}

// TestStalls stops a server in the middle of a body, in either direction.
func TestStalls(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	o.MultipartBytes = 100 * mib
	body := upload.BodyFromBytes(make([]byte, 32*mib)) // more than sockets hold
	if _, err := open(t, o).Put(t.Context(), "a", body, upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	o.HeaderTimeout, o.StallTimeout = 300*time.Millisecond, 300*time.Millisecond
	s := open(t, o)
	r, _, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), "stalled") || errors.Is(err, context.Canceled) {
		t.Errorf("get from a stopped server: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), "b", body, ifAbsent); err == nil || !strings.Contains(err.Error(), "stalled") || errors.Is(err, context.Canceled) {
		t.Errorf("put to a stopped server: %v", err)
	}
	if _, err := s.Head(t.Context(), "a"); err == nil {
		t.Error("head at a stopped server")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	o.HeaderTimeout = time.Minute
	if _, err := open(t, o).Head(t.Context(), "b"); !errors.Is(err, upload.ErrNotExist) {
		t.Errorf("what was put halfway: %v", err)
	}
}

func TestClockThatIsWrong(t *testing.T) {
	server := s3server.ForTest(t)
	o := options(t, server)
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		answer(w, r, 403, "RequestTimeTooSkewed")
		return true
	})
	if err := open(t, o).Probe(t.Context()); !errors.Is(err, upload.ErrClock) || !strings.Contains(err.Error(), "set the clock") || strings.Contains(err.Error(), "AWS_ACCESS") {
		t.Errorf("probe says %v", err)
	}
}

// An endpoint such as http://bucket.host makes a listing a read of an object.
func TestEndpointThatNamesTheBucket(t *testing.T) { // I10
	server := s3server.ForTest(t)
	o := options(t, server)
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		answer(w, r, 404, "NoSuchKey")
		return true
	})
	if err := open(t, o).Probe(t.Context()); !errors.Is(err, upload.ErrNoBucket) || errors.Is(err, upload.ErrNotExist) || !strings.Contains(err.Error(), "endpoint names the bucket") {
		t.Errorf("probe says %v", err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) { // I10, I11
	server := s3server.ForTest(t)
	good := options(t, server)
	for what, c := range map[string]struct {
		change func(*s3store.Options)
		want   error
		advice string
	}{
		"no bucket":    {func(o *s3store.Options) { o.Bucket = "none" }, upload.ErrNoBucket, "create the bucket none"},
		"bad secret":   {func(o *s3store.Options) { o.SecretAccessKey = "wrong" }, upload.ErrDenied, "AWS_SECRET_ACCESS_KEY"},
		"unknown key":  {func(o *s3store.Options) { o.AccessKeyID = "unknown" }, upload.ErrDenied, "AWS_ACCESS_KEY_ID"},
		"nobody there": {func(o *s3store.Options) { o.Endpoint = "http://127.0.0.1:1" }, nil, "check the endpoint"},
	} {
		o := good
		c.change(&o)
		s := open(t, o)
		err := s.Probe(t.Context())
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.advice) {
			t.Errorf("%s: probe says %v", what, err)
		}
		// Nothing of this is ever an absent object.
		_, _, err = s.Get(t.Context(), "a")
		_, herr := s.Head(t.Context(), "a")
		_, rerr := s.GetRange(t.Context(), "a", 0, 1)
		for op, err := range map[string]error{"get": err, "head": herr, "range": rerr, "delete": s.Delete(t.Context(), "a")} {
			if err == nil || errors.Is(err, upload.ErrNotExist) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %s says %v", what, op, err)
			}
		}
		n := 0
		for _, err := range s.List(t.Context(), "") {
			if n++; err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: list says %v", what, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: list yielded %d times", what, n)
		}
	}
}

func TestDamageOnTheServer(t *testing.T) { // I10
	server := s3server.ForTest(t)
	o := options(t, server)
	s := open(t, o)
	for _, size := range []int{1000, 7 * mib} {
		if _, err := s.Put(t.Context(), "data/x", upload.BodyFromBytes(make([]byte, size)), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(server.BucketDir(o.Bucket), "data/x"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{1}, 500); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := upload.ReadAll(t.Context(), s, "data/x", 100*mib); !errors.Is(err, upload.ErrCorrupt) {
			t.Errorf("read of a damaged object of %d bytes: %v", size, err)
		}
	}
}

// TestServerDies kills the server in the middle of uploads.
func TestServerDies(t *testing.T) { // I1, I5
	server := s3server.ForTest(t)
	s := open(t, options(t, server))
	put := func(ctx context.Context, name string, b []byte, kill bool) error {
		body := upload.BodyFromBytes(b)
		inner := body.Open
		once := sync.OnceValue(server.Kill)
		body.Open = func() (io.ReadSeekCloser, error) {
			r, err := inner()
			if kill && err == nil {
				return &killing{ReadSeekCloser: r, after: len(b) / 2, kill: once}, nil
			}
			return r, err
		}
		_, err := s.Put(ctx, name, body, upload.PutOptions{})
		return err
	}
	old := []byte("old")
	if err := put(t.Context(), "data/kept", old, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/new", "data/kept"} {
		if err := put(t.Context(), name, make([]byte, 4*mib), true); err == nil {
			t.Fatal("put to a dead server")
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Head(t.Context(), "data/new"); !errors.Is(err, upload.ErrNotExist) {
		t.Errorf("half an object: %v", err)
	}
	if b, _, err := upload.ReadAll(t.Context(), s, "data/kept", 10*mib); err != nil || !bytes.Equal(b, old) {
		t.Errorf("the object to be replaced has %d bytes, %v", len(b), err)
	}
	// A process that dies in a multipart upload leaves it; a sweep finds it.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := put(ctx, "data/large", make([]byte, 12*mib), true); err == nil {
		t.Fatal("put to a dead server")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, err := range s.Uploads(t.Context(), "data/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) != 1 || names[0] != "data/large" {
		t.Errorf("open multipart uploads: %q", names)
	}
	for range 2 { // I6
		if err := s.AbortUpload(t.Context(), "data/large"); err != nil {
			t.Error(err)
		}
	}
	wantNoUploads(t, s)
}

type killing struct {
	io.ReadSeekCloser
	pos, after int
	kill       func() error
}

func (k *killing) Read(p []byte) (int, error) {
	n, err := k.ReadSeekCloser.Read(p)
	if k.pos += n; k.pos >= k.after {
		if kerr := k.kill(); kerr != nil {
			return 0, kerr
		}
	}
	return n, err
}
