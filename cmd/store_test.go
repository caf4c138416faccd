package tidemarkcmd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// between puts a proxy before the server, which answers by itself where intercept returns
// true, and returns its URL.
func between(t *testing.T, s *s3server.Server, intercept func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	target, err := url.Parse(s.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !intercept(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func respond(w http.ResponseWriter, r *http.Request, status int, body string) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	return true
}

// analyzed is what store analyze --json prints.
type analyzed struct {
	Store    string
	Findings []struct {
		Check, Verdict, Allows, Detail string
		Required                       bool
	}
	Settings struct {
		Read, Unread []struct{ Name, Value string }
		Advice       []struct{ Setting, Effect, Text string }
	}
	Left  string
	Fit   bool
	Unfit []string
}

func analyze(t *testing.T, code int, args ...string) (a analyzed) {
	t.Helper()
	r := tidemark(t, append([]string{"store", "analyze", "--json"}, args...)...)
	if r.code != code {
		t.Fatalf("%v, want exit code %d", r, code)
	}
	if err := json.Unmarshal([]byte(r.out), &a); err != nil {
		t.Fatal(err, r)
	}
	if a.Left != "" || a.Fit != (code == 0) || len(a.Findings) == 0 || a.Settings.Read == nil || a.Settings.Advice == nil {
		t.Errorf("it says %s", r.out)
	}
	return a
}

func TestAnalyzeDirectory(t *testing.T) {
	p := place{t.TempDir()}
	ok(t, p.run("--events", "2000")...)
	before := tree(t, p.root())
	a := analyze(t, 0, "file://"+p.root())
	for _, f := range a.Findings {
		if f.Verdict != "yes" || f.Allows == "" {
			t.Errorf("%+v", f)
		}
	}
	out := ok(t, "store", "analyze", "file://"+p.root())
	for _, text := range []string{"compare_and_swap", "in 128 races of 3 writers", "a job can use this store"} {
		if !strings.Contains(out, text) {
			t.Errorf("it does not say %q: %s", text, out)
		}
	}
	for _, d := range differences(before, tree(t, p.root())) {
		if !strings.Contains(d, ".tidemark") { // locks, which are there for good
			t.Errorf("something changed: %s", d)
		}
	}
	says(t, tidemark(t, "store", "analyze", "file://"+p.root()+"/none"), 1, "does not exist", "what to do")
}

func TestAnalyzeBucket(t *testing.T) { // I5, I17
	s := s3(t)
	if err := s.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	p := place{t.TempDir()}
	ok(t, p.run("--checkpoint-store", "s3://jobs/a", "--events", "2000")...)
	before := tree(t, s.BucketDir("jobs"))
	analyze(t, 0, "s3://jobs/a")

	// A rule that destroys, a setting that may not be read.
	destroys := between(t, s, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Query().Has("lifecycle"):
			return respond(w, r, 200, `<LifecycleConfiguration><Rule><ID>month</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>`)
		case r.URL.Query().Has("versioning"):
			return respond(w, r, 200, `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`)
		case r.URL.Query().Has("replication"):
			return respond(w, r, 403, `<Error><Code>AccessDenied</Code></Error>`)
		}
		return false
	})
	a := analyze(t, 3, "s3://jobs/a", "--s3-endpoint", destroys)
	if len(a.Unfit) != 1 || a.Unfit[0] != "lifecycle rule month" {
		t.Errorf("not fit for %q", a.Unfit)
	}
	if u := a.Settings.Unread; len(u) == 0 || u[0].Name != "replication" || u[0].Value != "not permitted" {
		t.Errorf("not read: %+v", u)
	}
	if v := a.Settings.Advice; len(v) != 3 || v[0].Effect != "destroys" || v[1].Effect != "piles_up" {
		t.Errorf("advice: %+v", v)
	}
	r := tidemark(t, "store", "analyze", "s3://jobs/a", "--s3-endpoint", destroys)
	says(t, r, 3, "not fit for a job: lifecycle rule month")
	if !strings.Contains(r.out, "DESTROYS  lifecycle rule month: it deletes objects by age") || strings.Contains(r.out, "a job can use") {
		t.Errorf("it says %s", r.out)
	}

	says(t, tidemark(t, "store", "analyze", "s3://none/a"), 1, "bucket does not exist", "create it")
	if d := differences(before, tree(t, s.BucketDir("jobs"))); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
}

// While the key is denied checkpoints fail and the job goes on; then they are taken again,
// and the output is that of a run without.
func TestKeyThatIsDeniedForAWhile(t *testing.T) { // I3, I11
	s := s3(t)
	if err := s.CreateBucket("jobs"); err != nil {
		t.Fatal(err)
	}
	want, _ := unbroken(t)
	var puts atomic.Int64
	endpoint := between(t, s, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/data/") {
			return false
		}
		if n := puts.Add(1); n < 3 || n > 8 {
			return false
		}
		return respond(w, r, http.StatusBadRequest, `<Error><Code>KMS.DisabledException</Code><Message>the key is disabled</Message></Error>`)
	})
	p := place{t.TempDir()}
	r := tidemark(t, p.run("--checkpoint-store", "s3://jobs/a", "--s3-endpoint", endpoint, "--rate-limit", "12000", "--tolerable-failures", "-1")...)
	says(t, r, 0, "checkpoint aborted", "the store may not use the encryption key")
	if got := lines(t, p.output()); !slices.Equal(got, want) || puts.Load() <= 8 {
		t.Errorf("%d rows that are not the %d of an unbroken run, after %d uploads", len(got), len(want), puts.Load())
	}
	ok(t, "checkpoints", "verify", "s3://jobs/a/count", "--restore-rate", "50MiB", "--requests-in-flight", "2")
}

// A job within limits ends as it does without.
func TestLimitsOfTransfers(t *testing.T) {
	want, _ := unbroken(t)
	p := place{t.TempDir()}
	ok(t, p.run("--upload-rate", "2MiB", "--restore-rate", "2MiB", "--requests-in-flight", "2")...)
	if got := lines(t, p.output()); !slices.Equal(got, want) {
		t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
	}
	ok(t, "checkpoints", "verify", p.url()+"/count", "--restore-rate", "1MiB", "--requests-in-flight", "2")
	ok(t, "checkpoints", "gc", p.url()+"/count", "--apply", "--requests-in-flight", "2")
	says(t, tidemark(t, p.run("--requests-in-flight", "-1")...), 2, "must not be negative")
}
