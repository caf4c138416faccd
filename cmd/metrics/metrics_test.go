package metrics_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/cmd/metrics"
	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/memstore"
)

// samples are the values of a scrape, by name and labels without those of the job.
type samples map[string]float64

var jobLabels = regexp.MustCompile(`job_id="[^"]*",job_name="[^"]*",?`)

func scrape(t *testing.T, j metrics.Job) samples {
	t.Helper()
	return scrapeOf(t, metrics.Handler(j))
}

func scrapeOf(t *testing.T, h http.Handler) samples {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return parse(t, w.Body)
}

// all is a job of which everything is known, none of it at rest.
func all() metrics.Job {
	at := time.Now()
	c := history.Checkpoint{ID: 7, Epoch: 2, Status: history.Completed, Triggered: at, Duration: 1500 * time.Millisecond, FullBytes: 900, NewBytes: 100, Files: 5, SharedFiles: 4}
	c.Sync = 3 * time.Millisecond
	return metrics.Job{
		ID: "pairs", Name: "pairs", Started: at, Engine: &engine.Metrics{}, Requests: &upload.Counters{}, Prices: upload.S3Prices,
		Coordinator: fixed{
			coordinator.Status{
				Epoch: 2, Leads: true, Restored: &coordinator.Restored{At: at}, Retained: []coordinator.Retained{{ID: 7, Epoch: 2, Created: at, ManifestBytes: 44}},
				Pending: []coordinator.Pending{{ID: 8, InDoubtSince: at}}, AbortedBy: map[string]int{"timeout": 2}, ConsecutiveFailures: 2,
				Alarms: []coordinator.Alarm{{Code: coordinator.DeletionPaused}},
				Cleaner: coordinator.CleanerStatus{
					Deleted: 5, Failures: 6, Paused: errors.New("denied"),
					Survey: coordinator.Survey{At: at, Stored: coordinator.Amount{Objects: 3, Bytes: 1 << 30}, Dead: coordinator.Amount{Objects: 1, Bytes: 10}},
				},
			},
			history.History{Completed: 40, Failed: 2, Checkpoints: []history.Checkpoint{{ID: 6, Epoch: 2, Status: history.Completed}, c, {ID: 5, Epoch: 1, Status: history.Failed}}},
		},
		Memory: func() []metrics.Memory { return []metrics.Memory{{Part: "table", Used: 10, Limit: 20}} },
		Native: func() []metrics.Figure { return nil },
	}
}

type fixed struct {
	status  coordinator.Status
	history history.History
}

func (f fixed) Status() coordinator.Status { return f.status }
func (f fixed) History() history.History   { return f.history }

// Figures come out as they are, in the unit of their name.
func TestFigures(t *testing.T) {
	j := all()
	j.Requests.Put.Ops.Store(1500)
	j.Requests.List.Ops.Store(300)
	j.Requests.Versions.Ops.Store(200)
	j.Requests.Delete.Ops.Store(9)
	j.Requests.Get.Ops.Store(1000)
	j.Requests.Head.Failures.Store(3)
	got := scrape(t, j)
	for name, want := range map[string]float64{
		"flink_jobmanager_job_numberOfCompletedCheckpoints{}": 40, "flink_jobmanager_job_totalNumberOfCheckpoints{}": 43, "flink_jobmanager_job_lastCompletedCheckpointId{}": 7,
		"flink_jobmanager_job_lastCheckpointDuration{}": 1500, "flink_jobmanager_job_lastCheckpointSize{}": 100, "flink_jobmanager_job_lastCheckpointFullSize{}": 900,
		"flink_jobmanager_job_lastCheckpointMetadataSize{}": 44, `tidemark_last_checkpoint_step_seconds{step="sync"}`: 0.003, `tidemark_checkpoints_aborted_total{cause="timeout"}`: 2,
		`tidemark_alarm{code="deletion-paused"}`: 1, `tidemark_alarm{code="commit-in-doubt"}`: 0, "tidemark_deletion_paused{}": 1, "tidemark_deletion_halted{}": 0,
		"tidemark_delete_failures_total{}": 6, `tidemark_store_objects{class="dead"}`: 1, `tidemark_store_size_bytes{class="stored"}`: 1 << 30, "tidemark_store_month_dollars{}": 0.023,
		`tidemark_store_dollars_total{kind="put"}`: 0.01, `tidemark_store_dollars_total{kind="get"}`: 0.0004, `tidemark_store_requests_total{op="delete"}`: 9,
		`tidemark_store_request_failures_total{op="head"}`: 3, `tidemark_memory_bytes{part="table"}`: 10, `tidemark_memory_limit_bytes{part="table"}`: 20, "tidemark_running{}": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (exported: %v), want %v", name, v, ok, want)
		}
	}
	if v := got["tidemark_commit_in_doubt_since_seconds{}"]; time.Since(time.UnixMilli(int64(v*1000))) > time.Minute {
		t.Errorf("in doubt since %v", v)
	}
}

// What is not known is not exported.
func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	j := all()
	j.Coordinator = fixed{}
	for name := range scrape(t, j) {
		if strings.Contains(name, "lastC") || strings.Contains(name, "in_doubt") || strings.Contains(name, "newest") || strings.Contains(name, "surveyed") || strings.Contains(name, "store_objects") {
			t.Errorf("%s of a job without a checkpoint", name)
		}
	}
	j.Coordinator, j.Requests = nil, nil
	for name := range scrape(t, j) {
		if strings.Contains(name, "heckpoint") || strings.Contains(name, "store") {
			t.Errorf("%s of a job without checkpoints", name)
		}
	}
}

// What cannot be exported is left out: the scrape goes on, and so does the job.
func TestAScrapeNeverPanics(t *testing.T) {
	j := all()
	at := time.Now()
	c := j.Coordinator.(fixed)
	c.status.Pending = []coordinator.Pending{{ID: 8, InDoubtSince: at}, {ID: 9, InDoubtSince: at.Add(-time.Hour)}}
	c.status.AbortedBy = map[string]int{"\xff": 1}
	j.Coordinator = c
	got := scrape(t, j)
	if since := got["tidemark_commit_in_doubt_since_seconds{}"]; since != float64(at.Add(-time.Hour).UnixMilli())/1000 {
		t.Errorf("in doubt since %v", since)
	}
	if got["tidemark_epoch{}"] != 2 {
		t.Errorf("the rest is missing: %v", got)
	}
}

// A scrape sends nothing to the store, and asks for the local store's figures now and
// then only, however many scrape.
func TestScrapesAreCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counters upload.Counters
		store := upload.Counting(memstore.New(), &counters)
		requests := func() (n int64) {
			for _, o := range counters.Snapshot() {
				n += o.Ops
			}
			return n
		}
		lead, err := coordinator.Open(t.Context(), coordinator.Options{
			Store: store, Job: "pairs", Logger: slog.New(slog.DiscardHandler),
			Graph: checkpoint.Graph{Job: "pairs", MaxParallelism: 1, Operators: []checkpoint.GraphOperator{{ID: "in", Type: "source", Parallelism: 1}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		j, asked := all(), 0
		j.Coordinator, j.Native = lead, func() []metrics.Figure {
			asked++
			return []metrics.Figure{{Name: "tidemark_rocksdb_live_bytes", Value: float64(asked)}}
		}
		h, before := metrics.Handler(j), requests()
		for range 50 {
			if got := scrapeOf(t, h)["tidemark_rocksdb_live_bytes{}"]; got != float64(asked) {
				t.Errorf("%v live bytes after %d", got, asked)
			}
			time.Sleep(metrics.NativeEvery / 5)
		}
		if asked != 10 {
			t.Errorf("RocksDB was asked %d times in 50 scrapes", asked)
		}
		if n := requests() - before; n != 0 {
			t.Errorf("%d requests to the store in 50 scrapes", n)
		}
		if err := lead.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Records are counted by operator and subtask, and the subtasks' time by what it went to.
func TestRecordsAreCounted(t *testing.T) {
	job := engine.NewJob("pairs")
	in := engine.From(job, "in", enginetest.FromSlice(make([]int, 500)...))
	engine.Map(in, "double", func(n int) int { return 2 * n }).Rebalance().To("out", enginetest.Discard[int]())
	j := all()
	j.Graph = job.Graph(2)
	enginetest.Run(t, job, enginetest.Parallelism(2), enginetest.Config(func(c *engine.Config) { c.Metrics = j.Engine }))
	got := scrape(t, j)
	sum := func(name string) (n float64) { return got[name+`subtask="0"}`] + got[name+`subtask="1"}`] }
	if out, in := sum(`tidemark_records_out_total{operator="double",`), sum(`tidemark_records_in_total{operator="out",`); out != 500 || in != 500 {
		t.Errorf("%v records left double, %v came to out", out, in)
	}
	if got["tidemark_source_records{}"] != 500 || got["tidemark_attempts_total{}"] != 1 {
		t.Errorf("records %v, attempts %v", got["tidemark_source_records{}"], got["tidemark_attempts_total{}"])
	}
	for _, state := range []string{"busy", "idle", "blocked"} {
		if v, ok := got[`tidemark_subtask_seconds_total{state="`+state+`",subtask="1",vertex="out"}`]; !ok || v < 0 {
			t.Errorf("%s: %v, %v", state, v, ok)
		}
	}
}

var named = regexp.MustCompile(`\b(?:tidemark|flink|process|go)_[a-zA-Z0-9_]+`)

// names returns the metrics that a file of this package names.
func names(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := named.FindAllString(string(b), -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// Every metric that the dashboard and the alerts name is exported by a job of which
// everything is known. Those of the local store are checked where it is wired.
func TestDashboardAndAlertsNameWhatIsExported(t *testing.T) {
	exported := map[string]bool{}
	job := engine.NewJob("pairs")
	engine.From(job, "in", enginetest.FromSlice(1)).To("out", enginetest.Discard[int]())
	j := all()
	j.Graph = job.Graph(1)
	enginetest.Run(t, job, enginetest.Config(func(c *engine.Config) { c.Metrics = j.Engine }))
	for name := range scrape(t, j) {
		exported[name[:strings.IndexByte(name, '{')]] = true
	}
	for _, file := range []string{"dashboard.json", "alerts.yml"} {
		found := names(t, file)
		if len(found) < 8 {
			t.Errorf("%s names %v: the test does not find them", file, found)
		}
		for _, name := range found {
			if !exported[name] && !strings.HasPrefix(name, "tidemark_rocksdb_") && !strings.HasPrefix(name, "tidemark_table_") {
				t.Errorf("%s names %s, which is not exported", file, name)
			}
		}
	}
}

// Where promtool is installed, it accepts the alerts, and finds no fault with our names.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	w := httptest.NewRecorder()
	metrics.Handler(all()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	var ours strings.Builder // Flink's names are not Prometheus's style
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "tidemark_") {
			ours.WriteString(line)
		}
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(ours.String())
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func parse(t *testing.T, body io.Reader) samples {
	t.Helper()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	got := samples{}
	for line := range strings.Lines(string(b)) {
		if line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		name := jobLabels.ReplaceAllString(line[:at], "")
		if !strings.HasSuffix(name, "}") {
			name += "{}"
		}
		got[strings.Replace(name, ",}", "}", 1)] = v
	}
	return got
}
