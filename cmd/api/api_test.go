package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/api"
)

// What a dashboard of Flink asks of a job is answered, and agrees with itself.
func TestAJobIsDescribed(t *testing.T) {
	s := serve(t, api.Options{}, 20*time.Millisecond)
	s.checkpointed(2)
	if jobs := get[api.Jobs](s, "/jobs"); len(jobs.Jobs) != 1 || jobs.Jobs[0] != (api.JobStatus{ID: "pairs", Status: api.Running}) {
		t.Errorf("jobs: %+v", jobs)
	}
	o := get[api.JobsOverview](s, "/jobs/overview").Jobs[0]
	if o.ID != "pairs" || o.State != api.Running || o.EndTime != -1 || o.Tasks["total"] != 4 || o.Tasks["running"] != 4 {
		t.Errorf("overview: %+v", o)
	}
	if o := get[api.Overview](s, "/overview"); o.Running != 1 || o.Failed != 0 {
		t.Errorf("cluster: %+v", o)
	}
	d := get[api.JobDetails](s, "/jobs/pairs")
	if len(d.Vertices) != 2 || d.Vertices[0].ID != "in" || d.Vertices[0].Name != "in -> double" || d.Vertices[1].ID != "out" {
		t.Fatalf("vertices: %+v", d.Vertices)
	}
	if in := d.Plan.Nodes[1].Inputs; len(in) != 1 || in[0].ID != "in" || in[0].Ship != "REBALANCE" {
		t.Errorf("the plan's edge: %+v", in)
	}
	if d.Tidemark.Epoch != 1 || !d.Tidemark.Leads || d.Tidemark.Attempt != 1 || d.Tidemark.NewestCheckpoint < 2 || d.Tidemark.Records == 0 {
		t.Errorf("ours: %+v", d.Tidemark)
	}
	if c := get[api.CheckpointConfig](s, "/jobs/pairs/checkpoints/config"); c.IntervalMS != 20 {
		t.Errorf("config: %+v", c)
	}
}

// The figures of a checkpoint are the same in the list, the details and the subtasks.
func TestACheckpointIsDescribed(t *testing.T) {
	s := serve(t, api.Options{}, 20*time.Millisecond)
	x := s.checkpointed(3)
	c := x.Latest.Completed
	if c == nil || c.Status != "COMPLETED" || c.Class != "completed" || c.Acked != c.Subtasks || c.Subtasks != 4 || *c.Discarded || !strings.HasSuffix(c.Path, fmt.Sprintf("/manifests/%d-1", c.ID)) {
		t.Fatalf("the newest: %+v", c)
	}
	if x.Counts.Total != x.Counts.Completed+x.Counts.Failed+x.Counts.InProgress || x.Summary.Duration.Max < x.Summary.Duration.Min {
		t.Errorf("counts %+v, summary %+v", x.Counts, x.Summary)
	}
	path := fmt.Sprintf("/jobs/pairs/checkpoints/details/%d", c.ID)
	if d := get[api.Checkpoint](s, path); d.Triggered != c.Triggered || d.Duration != c.Duration || len(d.Vertices) != 2 || d.Vertices["in"].Acked != 2 {
		t.Errorf("details: %+v", d)
	}
	v := get[api.VertexCheckpoint](s, path+"/subtasks/in")
	if len(v.Subtasks) != 2 || v.Subtasks[1].Index != 1 || v.Subtasks[1].Status != "completed" || v.LatestAck < v.Subtasks[0].Acked || v.Subtasks[0].Checkpoint == nil {
		t.Errorf("subtasks: %+v", v)
	}
	for path, want := range map[string]int{
		"/jobs/pairs/checkpoints/details/999999": http.StatusNotFound, "/jobs/pairs/checkpoints/details/x": http.StatusBadRequest,
		path + "/subtasks/nobody": http.StatusNotFound, "/jobs/other": http.StatusNotFound, "/nothing": http.StatusNotFound,
	} {
		if status, body := s.do("GET", path, ""); status != want {
			t.Errorf("GET %s: %d: %s", path, status, body)
		}
	}
}

// The head, what is retained, and objects are explained from the store.
func TestTheStoreIsExplained(t *testing.T) { // I2
	s := serve(t, api.Options{}, 20*time.Millisecond)
	c := s.checkpointed(2).Latest.Completed
	head := get[map[string]any](s, "/jobs/pairs/head")
	if head["job"] != "pairs" {
		t.Errorf("head: %v", head)
	}
	var x api.ExplainedCheckpoint
	until(t, "a retained checkpoint", func() bool { // the newest may be dropped meanwhile
		c = get[api.CheckpointStatistics](s, "/jobs/pairs/checkpoints").Latest.Completed
		status, body := s.do("GET", fmt.Sprintf("/jobs/pairs/checkpoints/%d/explain", c.ID), "")
		return status == http.StatusOK && json.Unmarshal(body, &x) == nil
	})
	if x.ID != c.ID || len(x.KeptBy) == 0 {
		t.Errorf("explained: %+v", x)
	}
	o := get[api.Explained](s, "/objects/explain?name=manifests/999999-1")
	if o.Fate != "open" || o.Stored || o.Checkpoint != 999999 {
		t.Errorf("object: %+v", o)
	}
	if status, _ := s.do("GET", "/objects/explain", ""); status != http.StatusBadRequest {
		t.Errorf("no name: %d", status)
	}
}

// Without checkpoints there is nothing to tell of them, and the rest is told.
func TestAJobWithoutCheckpoints(t *testing.T) {
	s := serve(t, api.Options{}, 0)
	get[api.JobDetails](s, "/jobs/pairs")
	for _, path := range []string{"/checkpoints", "/checkpoints/config", "/checkpoints/details/1", "/head", "/retention"} {
		if status, body := s.do("GET", "/jobs/pairs"+path, ""); status != http.StatusNotFound || !strings.Contains(string(body), "checkpoints are off") {
			t.Errorf("%s: %d: %s", path, status, body)
		}
	}
	if status, _ := s.do("POST", "/jobs/pairs/checkpoints", ""); status != http.StatusNotFound {
		t.Errorf("a checkpoint: %d", status)
	}
}

// tokens writes a token file with one token for each scope, "<scope>-token-of-the-test".
func tokens(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tokens")
	lines := "# of the test\n\nann read read-token-of-the-test\nbob operate operate-token-of-the-test\ncat admin admin-token-of-the-test\ndan state state-token-of-the-test\n"
	if err := os.WriteFile(name, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func bearer(scope string) string { return "Authorization: Bearer " + scope + "-token-of-the-test" }

// Each scope may do what it says, and nothing else; writes are logged with who sent them.
func TestScopes(t *testing.T) {
	s := serve(t, api.Options{Tokens: tokens(t)}, time.Hour)
	const policy = `{"policy":"newest=5"}`
	for _, c := range []struct {
		method, path, body, who string
		want                    int
	}{
		{"GET", "/jobs", "", "", 401}, {"GET", "/jobs", "", "wrong", 401}, {"GET", "/jobs", "", "read", 200}, {"GET", "/jobs", "", "operate", 200}, {"GET", "/jobs", "", "admin", 200},
		{"GET", "/jobs", "", "state", 403},
		{"GET", "/nothing", "", "", 401}, {"GET", "/nothing", "", "read", 404},
		{"PUT", "/jobs/pairs/retention", policy, "", 401}, {"PUT", "/jobs/pairs/retention", policy, "read", 403}, {"PUT", "/jobs/pairs/retention", policy, "operate", 200},
		{"GET", "/debug/pprof/cmdline", "", "operate", 403}, {"GET", "/debug/pprof/cmdline", "", "admin", 200}, {"GET", "/debug/pprof/cmdline", "", "", 401},
	} {
		var header []string
		if c.who != "" {
			header = []string{bearer(c.who)}
		}
		if status, body := s.do(c.method, c.path, c.body, header...); status != c.want {
			t.Errorf("%s %s as %q: %d, want %d: %s", c.method, c.path, c.who, status, c.want, body)
		}
	}
	for _, line := range []string{"who=anonymous", "who=ann", "who=bob"} {
		if !strings.Contains(s.log.String(), line) || !strings.Contains(s.log.String(), "path=/jobs/pairs/retention") {
			t.Errorf("the log lacks the write of %s:\n%s", line, s.log)
		}
	}
	if strings.Contains(s.log.String(), "token-of-the-test") {
		t.Error("a token is in the log")
	}
}

// A token file that changes is read again; one that is not understood changes nothing.
func TestTokensAreReadAgain(t *testing.T) {
	file := tokens(t)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, api.Options{Tokens: file}, 0)
	if !strings.Contains(s.log.String(), "chmod 600") {
		t.Errorf("nobody is warned of the file's mode: %s", s.log)
	}
	const fresh = "Authorization: Bearer another-token-of-the-test"
	for _, c := range []struct {
		lines     string
		old, next int
	}{{"ann read another-token-of-the-test\n", 401, 200}, {"nonsense\n", 401, 200}} {
		if err := os.WriteFile(file, []byte(c.lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := s.do("GET", "/jobs", "", bearer("read")); status != c.old {
			t.Errorf("%q: the old token: %d", c.lines, status)
		}
		if status, _ := s.do("GET", "/jobs", "", fresh); status != c.next {
			t.Errorf("%q: the new token: %d", c.lines, status)
		}
	}
	if n := strings.Count(s.log.String(), "are not understood"); n != 1 {
		t.Errorf("the log says %d times that the file is not understood: %s", n, s.log)
	}
}

// Without tokens a loopback server is open for what a person needs, and profiles need a
// flag.
func TestLoopbackWithoutTokens(t *testing.T) {
	for open, want := range map[bool]int{false: 403, true: 200} {
		s := serve(t, api.Options{OpenAdmin: open}, time.Hour)
		if status, _ := s.do("PUT", "/jobs/pairs/retention", `{"policy":"4"}`); status != 200 {
			t.Errorf("operate: %d", status)
		}
		if status, _ := s.do("GET", "/debug/pprof/cmdline", ""); status != want {
			t.Errorf("admin, open %v: %d", open, status)
		}
	}
}

// A name that somebody made point here is refused, with any method; a token proves that
// the caller is no page that lives on such a name.
func TestHostIsChecked(t *testing.T) {
	s := serve(t, api.Options{Tokens: tokens(t)}, 0)
	open := serve(t, api.Options{}, 0)
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:7480": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421,
		"localhost": 200, "LOCALHOST:1": 200, "127.0.0.1:99": 200, "[::1]:7": 200, "10.0.0.7": 200,
	} {
		if status, _ := open.do("GET", "/jobs", "", "Host: "+host); status != want {
			t.Errorf("host %s: %d, want %d", host, status, want)
		}
	}
	if status, _ := s.do("GET", "/jobs", "", "Host: tidemark.example", bearer("read")); status != 200 {
		t.Errorf("another name with a token: %d", status)
	}
	if status, _ := s.do("GET", "/jobs", "", strings.Replace(bearer("read"), "Bearer", "bearer", 1)); status != 200 {
		t.Errorf("bearer in lower case: %d", status)
	}
	if status, _ := s.do("GET", "/jobs", "", "Host: tidemark.example"); status != 421 {
		t.Errorf("another name without a token: %d", status)
	}
}

// A page of another site cannot write, whether a browser says so by one header or the
// other; it cannot read either.
func TestPagesOfOtherSitesCannotWrite(t *testing.T) {
	s := serve(t, api.Options{}, time.Hour)
	for _, header := range []string{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: null"} {
		if status, body := s.do("PUT", "/jobs/pairs/retention", `{"policy":"9"}`, header); status != 403 {
			t.Errorf("%s: %d: %s", header, status, body)
		}
	}
	if status, _ := s.do("GET", "/jobs", "", "Sec-Fetch-Site: cross-site"); status != 403 {
		t.Errorf("a read by another site: %d", status)
	}
	if status, _ := s.do("PUT", "/jobs/pairs/retention", `{"policy":"9"}`, "Sec-Fetch-Site: same-origin"); status != 200 {
		t.Errorf("a page of the server's own: %d", status)
	}
	if status, body := s.do("PUT", "/jobs/pairs/retention", `{"policy":"`+strings.Repeat("9", 1<<17)+`"}`); status != 413 {
		t.Errorf("a large body: %d: %.80s", status, body)
	}
}

// What could let others in by mistake is refused.
func TestOptionsAreRefused(t *testing.T) {
	file := tokens(t)
	for _, c := range []struct {
		o    api.Options
		says string // empty: it is allowed
	}{
		{api.Options{}, ""},
		{api.Options{Address: "127.0.0.1:0"}, ""},
		{api.Options{Address: "[::1]:0"}, ""},
		{api.Options{Address: "localhost:0"}, ""},
		{api.Options{Address: "0.0.0.0:7480"}, "TLS and tokens"},
		{api.Options{Address: ":7480"}, "TLS and tokens"},
		{api.Options{Address: "10.0.0.7:7480", Tokens: file}, "TLS and tokens"},
		{api.Options{Address: "job.example:7480", Cert: "c", Key: "k"}, "TLS and tokens"},
		{api.Options{Address: "0.0.0.0:7480", Tokens: file, Cert: "c", Key: "k"}, ""},
		{api.Options{Address: "0.0.0.0:7480", Insecure: true}, ""},
		{api.Options{Address: "127.0.0.1:0", Cert: "c"}, "certificate and its key"},
		{api.Options{Address: "7480"}, "host:port"},
		{api.Options{Address: "127.0.0.1:http"}, "no such port"},
	} {
		err := c.o.Validate()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// A token file that is not understood is refused as a whole, and no error shows a token.
func TestTokenFilesAreRefused(t *testing.T) {
	for name, line := range map[string]string{
		"empty": "", "no scope": "ann long-enough-for-a-token", "unknown scope": "ann root long-enough-for-a-token", "short": "ann read short-token", "more": "ann read long-enough-for-a-token x",
	} {
		file := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(file, []byte("bob read long-enough-for-a-token\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if line == "" {
			if err := os.WriteFile(file, []byte("# none\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := api.Listen(t.Context(), api.Options{Address: "127.0.0.1:0", Tokens: file}, nil)
		if err == nil || strings.Contains(err.Error(), "token-") || strings.Contains(err.Error(), "-token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The next free port is taken where the address was not asked for, and only there.
func TestATakenPort(t *testing.T) {
	first := serve(t, api.Options{}, 0)
	address := strings.TrimPrefix(first.url, "http://")
	if _, err := api.Listen(t.Context(), api.Options{Address: address}, nil); err == nil {
		t.Error("two servers have one address")
	}
	second := serve(t, api.Options{Address: address, Near: true}, 0)
	if second.url == first.url {
		t.Error("two servers have one address")
	}
	get[api.Jobs](second, "/jobs")
}
