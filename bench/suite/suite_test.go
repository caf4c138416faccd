package suite_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/bench/experiment"
	"github.com/tidemark/tidemark/bench/suite"
	tidemarkcmd "github.com/tidemark/tidemark/cmd"
	"github.com/tidemark/tidemark/upload/storetest/s3server"
)

// programEnv makes the test's binary the program that the arms run.
const programEnv = "TIDEMARK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(flinkEnv) == "1" {
		serveFlink()
		return
	}
	if os.Getenv(programEnv) == "1" {
		tidemarkcmd.Main(nil)
		return
	}
	_ = os.Setenv(programEnv, "1") // for children
	os.Exit(m.Run())
}

func TestPlan(t *testing.T) {
	names := func(o suite.Options) (run, out []string) {
		experiments, left := suite.Plan(o)
		for _, e := range experiments {
			run = append(run, e.Name)
		}
		for _, l := range left {
			out = append(out, l.Name)
		}
		return run, out
	}
	run, out := names(suite.Options{})
	if !slices.Contains(run, "checkpoints-q18") || !slices.Contains(out, "flights") || !slices.Contains(out, "flink-q18-1s") {
		t.Errorf("runs %v, leaves out %v", run, out)
	}
	run, out = names(suite.Options{PeerFlink: "flink", Flights: "f.parquet"})
	if !slices.Contains(run, "flights") || !slices.Contains(run, "flink-q18-1s") || !slices.Contains(run, "flink-count-20M") {
		t.Errorf("with Flink and flights: runs %v, leaves out %v", run, out)
	}
	if run, out = names(suite.Options{Only: regexp.MustCompile("^noise$")}); len(run) != 1 || len(out) != 0 {
		t.Errorf("only noise: runs %v, leaves out %v", run, out)
	}
	experiments, _ := suite.Plan(suite.Options{PeerFlink: "flink", Flights: "f.parquet", Long: true})
	for _, e := range experiments {
		for _, c := range e.Compare {
			for _, arm := range []string{c.Arm, c.Against} {
				if arm != "" && !slices.ContainsFunc(e.Arms, func(a experiment.Arm) bool { return a.Name == arm }) {
					t.Errorf("experiment %s compares %q, which is none of its arms", e.Name, arm)
				}
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []suite.Options{{Pairs: -1}, {StateBytes: -1}, {FlinkTime: -1}, {FlightsExpected: "x"}} {
		if _, err := suite.Run(context.Background(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// The experiments that need nothing from elsewhere run, with tiny inputs, and
// every figure of theirs has a value.
func TestRun(t *testing.T) {
	o := suite.Options{Quick: true, Pairs: 1, StateBytes: 2_000_000, Only: regexp.MustCompile("^(noise|increments|bill-count-1s)$")}
	want := 3
	if _, err := s3server.Find(); err != nil {
		want = 2
	}
	r, err := suite.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Experiments) != want {
		t.Fatalf("%d experiments ran, want %d", len(r.Experiments), want)
	}
	for _, e := range r.Experiments {
		if want := compared(t, o, e.Name); len(e.Rows) != want || e.Error != "" {
			t.Errorf("%s: %d rows of %d, error %q, notes %q", e.Name, len(e.Rows), want, e.Error, e.Notes)
		}
	}
}

func compared(t *testing.T, o suite.Options, name string) int {
	t.Helper()
	experiments, _ := suite.Plan(o)
	for _, e := range experiments {
		if e.Name == name {
			return len(e.Compare)
		}
	}
	t.Fatalf("no experiment %s", name)
	return 0
}

// flink stands in for the program that runs Flink: it prints what that does.
func flink(t *testing.T, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flink")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho a warning\ncat <<'END'\n"+line+"\nEND\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}

const flinkLine = `{"workload":"q17","state":"FINISHED","seen":920000,"digest":"%s","rows":0,"wall_s":4.0,"cpu_s":9.2,` +
	`"steady_events_per_s":230000,"steady_cpu_us_per_event":4.0,"checkpoints":0,"failed":0,"end_to_end_ms":[],"sync_ms":[],"async_ms":[],"align_ms":[],"new_bytes":[],"state_bytes":[]}`

func TestFlink(t *testing.T) {
	o := suite.Options{Quick: true, Pairs: 1, Only: regexp.MustCompile("^flink-count-hot$")}
	o.PeerFlink = flink(t, fmt.Sprintf(flinkLine, "0000000000000000"))
	r, err := suite.Run(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "wrong digest") {
		t.Errorf("a comparator with another result: %v, %+v", err, r.Experiments)
	}
	o.PeerFlink = flink(t, `{"state":"FAILED"}`)
	if _, err := suite.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "FAILED") {
		t.Errorf("a comparator that failed: %v", err)
	}
}

// flinkEnv makes the test's binary a Flink that goes on for ever.
const flinkEnv = "TIDEMARK_TEST_FLINK"

// serveFlink tells, as Flink's REST interface does, that it reads 300,000
// records a second, until it is interrupted.
func serveFlink() {
	port := ""
	for _, a := range os.Args[1:] {
		if p, ok := strings.CutPrefix(a, "flink.rest.port="); ok {
			port = p
		}
	}
	begin := time.Now()
	http.HandleFunc("/jobs", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"jobs":[{"id":"j"}]}`) })
	http.HandleFunc("/jobs/j", func(w http.ResponseWriter, _ *http.Request) {
		asked := time.Now()
		for time.Since(asked) < 30*time.Millisecond { // processor time that can be seen
		}
		n := int64(time.Since(begin).Seconds() * 300_000)
		fmt.Fprintf(w, `{"vertices":[{"metrics":{"read-records":0}},{"metrics":{"read-records":%d}}]}`, n)
	})
	server := &http.Server{Addr: "127.0.0.1:" + port, ReadHeaderTimeout: time.Second}
	_ = server.ListenAndServe()
}

// A Flink that does not end in its time is told of by what it had done.
func TestFlinkThatDoesNotEnd(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flink")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexport "+flinkEnv+"=1\nexec "+self+" \"$@\"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	o := suite.Options{Quick: true, PeerFlink: path, FlinkTime: 10 * time.Second, Only: regexp.MustCompile("^flink-count-20M$")}
	r, err := suite.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	flinks := r.Experiments[0].Arms[1]
	if rate := flinks.Values[experiment.EventsPerS]; len(rate) != 1 || rate[0] < 270_000 || rate[0] > 330_000 {
		t.Errorf("Flink's rate %v, want about 300,000 a second", rate)
	}
	if !slices.ContainsFunc(r.Experiments[0].Notes, func(n string) bool { return strings.Contains(n, "when its 10s were over") }) {
		t.Errorf("notes %q", r.Experiments[0].Notes)
	}
}
