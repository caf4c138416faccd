package s3store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// wantEmpty fails the test if the store holds anything.
func wantEmpty(t *testing.T, s upload.Store) {
	t.Helper()
	for info, err := range s.List(t.Context(), "") {
		t.Errorf("the store holds %s; %v", info.Name, err)
	}
	wantNoUploads(t, s)
}

// A good server passes with a bounded number of requests, and nothing is left of them
// and logged at warn.
func TestProbe(t *testing.T) { // I4
	server := s3server.ForTest(t)
	o := options(t, server)
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	var puts, all atomic.Int64
	o.Endpoint = proxy(t, server, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		all.Add(1)
		if isPut(r) {
			puts.Add(1)
		}
		return false
	})
	s := open(t, o)
	start := time.Now()
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("the probe sent %d requests, %d of them PUTs, in %v", all.Load(), puts.Load(), time.Since(start))
	if puts.Load() > 101 || all.Load() > 130 {
		t.Errorf("the probe sent %d requests, %d of them PUTs", all.Load(), puts.Load())
	}
	if log.Len() > 0 {
		t.Errorf("the log says %s", &log)
	}
	wantEmpty(t, s)
}

// A server that ignores conditions. Unsigned headers may be dropped.
func TestProbeOfServerWithoutConditions(t *testing.T) { // I4
	server := s3server.ForTest(t)
	for _, header := range []string{"If-None-Match", "If-Match"} {
		o := options(t, server)
		o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if isPut(r) && r.Header.Get(header) != "" {
				w.Header().Set("ETag", `"`+r.Header.Get("X-Amz-Checksum-Crc32c")+`"`)
				_, _ = io.Copy(io.Discard, r.Body)
				return true
			}
			return false
		})
		s := open(t, o)
		if err := s.Probe(t.Context()); !errors.Is(err, upload.ErrUnsupported) || !strings.Contains(err.Error(), "ignores the condition") {
			t.Errorf("a server that ignores %s: %v", header, err)
		}
		wantEmpty(t, s)
	}
}

// twoSteps is a server that checks a condition, and writes in a second step.
type twoSteps struct {
	header string // of the condition; others are the real server's
	mu     sync.Mutex
	below  upload.Store
	etags  map[string]string        // by path
	alone  map[string]chan struct{} // writers between the steps, by path; closed when a second one comes
}

func (s *twoSteps) intercept(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	if !isPut(r) {
		return false
	}
	o := upload.PutOptions{IfMatch: r.Header.Get("If-Match"), IfAbsent: r.Header.Get("If-None-Match") != ""}
	s.mu.Lock()
	switch want := r.Header.Get(s.header); {
	case want == "":
		s.mu.Unlock()
	case want == "*" && s.etags[r.URL.Path] != "", want != "*" && s.etags[r.URL.Path] != want:
		s.mu.Unlock()
		answer(w, r, 412, "PreconditionFailed")
		return true
	default:
		o = upload.PutOptions{}
		met := s.alone[r.URL.Path]
		if met != nil {
			delete(s.alone, r.URL.Path)
			close(met)
		} else {
			met = make(chan struct{})
			s.alone[r.URL.Path] = met
		}
		s.mu.Unlock()
		select {
		case <-met:
		case <-time.After(50 * time.Millisecond):
			s.mu.Lock()
			if s.alone[r.URL.Path] == met {
				delete(s.alone, r.URL.Path)
			}
			s.mu.Unlock()
		}
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	info, err := s.below.Put(r.Context(), filepath.Base(r.URL.Path), upload.BodyFromBytes(b), o)
	switch {
	case errors.Is(err, upload.ErrPrecondition):
		answer(w, r, 412, "PreconditionFailed")
		return true
	case err != nil:
		answer(w, r, 500, "InternalError")
		return true
	}
	s.mu.Lock()
	s.etags[r.URL.Path] = info.Version
	s.mu.Unlock()
	w.Header().Set("ETag", info.Version)
	return true
}

func TestProbeOfServerThatChecksFirst(t *testing.T) { // I4
	server := s3server.ForTest(t)
	for _, header := range []string{"If-None-Match", "If-Match"} {
		o := options(t, server)
		slow := &twoSteps{header: header, below: open(t, o), etags: map[string]string{}, alone: map[string]chan struct{}{}}
		o.Endpoint = proxy(t, server, slow.intercept)
		s := open(t, o)
		if err := s.Probe(t.Context()); !errors.Is(err, upload.ErrUnsupported) || !strings.Contains(err.Error(), "two steps") {
			t.Errorf("a server that checks %s first: %v", header, err)
		}
		wantEmpty(t, s)
	}
}

// What a job would otherwise meet at its first large object.
func TestProbeOfServerWithoutParts(t *testing.T) { // I11
	server := s3server.ForTest(t)
	for what, is := range map[string]func(*http.Request) bool{
		"begin":    func(r *http.Request) bool { return r.URL.Query().Has("uploads") && r.Method == http.MethodPost },
		"abort":    func(r *http.Request) bool { return r.URL.Query().Has("uploadId") && r.Method == http.MethodDelete },
		"complete": isComplete,
	} {
		o := options(t, server)
		var on atomic.Bool
		on.Store(true)
		o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if on.Load() && is(r) {
				answer(w, r, 501, "NotImplemented")
				return true
			}
			return false
		})
		err := open(t, o).Probe(t.Context())
		if !errors.Is(err, upload.ErrUnsupported) || !strings.Contains(err.Error(), "multipart") {
			t.Errorf("a server that cannot %s: %v", what, err)
		}
		on.Store(false)
		if what != "abort" {
			wantEmpty(t, open(t, o))
		}
	}
}

// One failure that passes is survived, whichever request meets it.
func TestProbeBeginsAnew(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	var at, seen atomic.Int64
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		n := seen.Add(1)
		if n == at.Load() || n == at.Load()+1 { // the SDK itself sends some again
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // applied, and never acknowledged
		}
		return false
	})
	s := open(t, o)
	for _, lost := range []int64{1, 3, 5, 60, 107, 111, 113, 115} {
		at.Store(lost)
		seen.Store(0)
		if err := s.Probe(t.Context()); err != nil {
			t.Errorf("answers %d and %d were lost: %v", lost, lost+1, err)
		}
		if n := seen.Load(); n <= lost {
			t.Errorf("the probe sent %d requests: answer %d was not lost", n, lost)
		}
	}
	at.Store(-9)
	for info, err := range s.List(t.Context(), "") {
		t.Errorf("the store holds %s; %v", info.Name, err)
	}
}

// A server that throttles gets the probe's requests slowly.
func TestProbeOfServerThatThrottles(t *testing.T) { // I11
	server := s3server.ForTest(t)
	o := options(t, server)
	bears := rate.NewLimiter(40, 10)
	var denied atomic.Int64
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if bears.Allow() {
			return false
		}
		denied.Add(1)
		answer(w, r, 503, "SlowDown")
		return true
	})
	s := open(t, o)
	if err := s.Probe(t.Context()); err != nil || denied.Load() == 0 {
		t.Errorf("%d requests were throttled: %v", denied.Load(), err)
	}
	bears.SetLimit(rate.Inf)
	wantEmpty(t, s)
}

// Who may not delete finds out before anything is put.
func TestProbeWithoutTheRightToDelete(t *testing.T) { // I5
	server := s3server.ForTest(t)
	o := options(t, server)
	o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if isDelete(r) {
			answer(w, r, 403, "AccessDenied")
		}
		return isDelete(r)
	})
	s := open(t, o)
	if err := s.Probe(t.Context()); !errors.Is(err, upload.ErrDenied) || !strings.Contains(err.Error(), "delete") {
		t.Errorf("the probe says %v", err)
	}
	wantEmpty(t, s)
}

// What a probe left that was killed is removed once it is old, and nothing else is.
func TestProbeRemovesWhatOthersLeft(t *testing.T) { // I5, I17
	server := s3server.ForTest(t)
	o := options(t, server)
	s := open(t, o)
	old := time.Now().Add(-2 * time.Hour)
	keep := []string{"probe-results", "tidemark-probe-RUNNINGRUNNINGRUNNINGRUNNI-0", "tidemark-probe-notes"}
	for _, name := range append(keep, "tidemark-probe-KILLEDKILLEDKILLEDKILLEDKI-0") {
		if _, err := s.Put(t.Context(), name, upload.BodyFromBytes([]byte(name)), upload.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "RUNNING") {
			if err := os.Chtimes(filepath.Join(server.BucketDir(o.Bucket), name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left []string
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, info.Name)
	}
	if fmt.Sprint(left) != fmt.Sprint(keep) {
		t.Errorf("left are %q, want %q", left, keep)
	}
}

// The checksum in the answer to a completed upload is compared with what was sent; that
// of the parts' checksums is no sign of damage, whatever the server calls it.
func TestChecksumOfCompletedUpload(t *testing.T) { // I1, I10
	server := s3server.ForTest(t)
	o := options(t, server)
	body := bytes.Repeat([]byte("large "), 2*mib)
	composite := upload.CRC32C(nil)
	for part := range slices.Chunk(body, 5*mib) {
		composite = upload.ExtendCRC32C(composite, bigEndian(upload.CRC32C(part)))
	}
	for what, c := range map[string]struct {
		crc uint32
		bad bool
	}{"right": {upload.CRC32C(body), false}, "of the parts": {composite, false}, "wrong": {composite + 1, true}} {
		o := o
		o.Endpoint = proxy(t, server, func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
			if !isComplete(r) {
				return false
			}
			rec := httptest.NewRecorder()
			forward.ServeHTTP(rec, r)
			etag := regexp.MustCompile(`<ETag>(.*)</ETag>`).FindSubmatch(rec.Body.Bytes())
			if etag == nil {
				t.Errorf("%s: the server says %s", what, rec.Body)
				return false
			}
			_, _ = fmt.Fprintf(w, `%s<CompleteMultipartUploadResult><ETag>%s</ETag><ChecksumCRC32C>%s</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>`,
				xml.Header, etag[1], base64.StdEncoding.EncodeToString(bigEndian(c.crc)))
			return true
		})
		_, err := open(t, o).Put(t.Context(), "data/"+what, upload.BodyFromBytes(body), upload.PutOptions{})
		if errors.Is(err, upload.ErrCorrupt) != c.bad || (err != nil) != c.bad {
			t.Errorf("%s checksum: %v", what, err)
		}
	}
}

func bigEndian(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
