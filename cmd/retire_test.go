package tidemarkcmd_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
)

// typing makes the text what standard input has.
func typing(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "typed")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = was; _ = f.Close() })
}

// edit changes the example's head as a leader does.
func (x *example) edit(change func(*coordinator.Head)) {
	x.t.Helper()
	h, err := coordinator.DecodeHead([]byte(x.content()["head"]))
	if err != nil {
		x.t.Fatal(err)
	}
	change(&h)
	b, err := coordinator.EncodeHead(h)
	if err != nil {
		x.t.Fatal(err)
	}
	x.put("head", b)
}

// A job is retired only where nothing shows that it runs, and by its name; then what its last
// leader left goes as well, and its checkpoints stay.
func TestRetire(t *testing.T) { // I2, I4
	x := newExample(t)
	// Two checkpoints of this epoch within milliseconds: head is watched for two seconds.
	past, err := history.Read(t.Context(), x.store)
	if err != nil {
		t.Fatal(err)
	}
	past.Checkpoints[0].Epoch = 2
	past.Checkpoints[0].Triggered = past.Checkpoints[1].Triggered.Add(-5 * time.Millisecond)
	if err := history.Put(t.Context(), x.store, history.Name{Epoch: 2, Number: 2}, past); err != nil {
		t.Fatal(err)
	}
	pending := nameOf(4, 2, 0).String()
	var answers string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/jobs" {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = fmt.Fprint(w, answers)
	}))
	defer server.Close()
	x.edit(func(h *coordinator.Head) { h.Leader = strings.TrimPrefix(server.URL, "http://") })
	before := x.content()
	for _, answers = range []string{`{"jobs":[{"id":"other"},{"id":"count"}]}`, "who is there?"} {
		r := tidemark(t, "checkpoints", "gc", x.url, "--retire", "--apply")
		says(t, r, 1, "the job runs: its leader answers at 127.0.0.1")
	}
	answers = `{"jobs":[{"id":"other"}]}` // another job of this machine
	typing(t, "cuont\n")
	says(t, tidemark(t, "checkpoints", "gc", x.url, "--retire", "--apply"), 2, "is one of its own machine", "4 objects and 0 uploads go", "type the job's name (count)", `"cuont" is not the name`, "nothing was changed")
	if d := differences(before, x.content()); len(d) > 0 {
		t.Errorf("changed: %q", d)
	}
	if plan := ok(t, "checkpoints", "gc", x.url, "--retire"); !strings.Contains(plan, pending) || !strings.Contains(plan, "nothing was changed") {
		t.Errorf("the plan is %s", plan)
	}
	typing(t, "count\n")
	if done := ok(t, "checkpoints", "gc", x.url, "--retire", "--apply"); !strings.Contains(done, "deleted "+pending) {
		t.Errorf("gc says %s", done)
	}
	if d := differences(before, x.content()); fmt.Sprint(d) != fmt.Sprintf("[changed: head gone: %s gone: %s gone: history/1-7 gone: history/2-1]", pending, nameOf(2, 1, 9)) {
		t.Errorf("changed: %q", d)
	}
	ok(t, "checkpoints", "verify", x.url)

	x.remove("head")
	says(t, tidemark(t, "checkpoints", "gc", x.url, "--retire", "--apply"), 3, "head is missing")
	x = emptyExample(t, "mem://example-of-nothing/count")
	says(t, tidemark(t, "checkpoints", "gc", x.url, "--retire", "--apply"), 0, "there is nothing below")
	says(t, tidemark(t, "checkpoints", "gc", "file://"+t.TempDir()+"/nosuch", "--retire", "--apply"), 0, "there is nothing below")
	says(t, tidemark(t, "checkpoints", "gc", "file://"+t.TempDir()+"/no/such"), 1, "bucket does not exist")
}
