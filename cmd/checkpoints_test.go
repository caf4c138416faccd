package tidemarkcmd_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

type listed struct {
	ID         uint64    `json:"id"`
	Status     string    `json:"status"`
	Cause      string    `json:"cause"`
	Created    time.Time `json:"created"`
	FullBytes  *int64    `json:"full_bytes"`
	NewBytes   *int64    `json:"new_bytes"`
	DurationMS *float64  `json:"duration_ms"`
	KeptBy     []string  `json:"kept_by"`
}

func TestLs(t *testing.T) {
	p := begun(t)
	ids, err := retained(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	list := parse[[]listed](t, ok(t, "checkpoints", "ls", "--json", p.url()+"/count"))
	var got []uint64
	for _, l := range list {
		got = append(got, l.ID)
		if l.Created.IsZero() || l.FullBytes == nil || *l.FullBytes <= 0 || l.NewBytes == nil || l.DurationMS == nil || len(l.KeptBy) == 0 {
			t.Errorf("checkpoint %d lacks something: %+v", l.ID, l)
		}
	}
	if !slices.Equal(got, ids) || !slices.IsSorted(got) {
		t.Errorf("listed are %v, want %v, oldest first", got, ids)
	}
	text := strings.Split(strings.TrimSpace(ok(t, "checkpoints", "ls", p.url()+"/count")), "\n")
	if len(text) != len(ids)+1 || !strings.HasPrefix(text[0], "ID ") || !strings.HasSuffix(text[0], "KEPT BY") {
		t.Errorf("%q", text)
	}
	for i, id := range ids {
		if !strings.HasPrefix(text[i+1], number(id)+" ") {
			t.Errorf("line %q is not of checkpoint %d", text[i+1], id)
		}
	}
}

// A checkpoint that failed, or that retention dropped, is listed and explained from history.
func TestHistory(t *testing.T) {
	p := begun(t)
	store, err := open(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	was, err := history.Read(t.Context(), store)
	if err != nil || len(was.Checkpoints) == 0 {
		t.Fatalf("the job left the history %+v, %v", was, err)
	}
	log := history.Open(t.Context(), history.Options{Store: store, Job: "count", Epoch: 9, Limit: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	add := func(id checkpoint.ID, s history.Status, cause, reason string) {
		log.Add(history.Checkpoint{
			ID: id, Epoch: 9, Trigger: history.ByInterval, Status: s, Counted: s == history.Failed, Cause: cause, Reason: reason, Triggered: time.Now(), Duration: time.Minute, Acked: 1, Subtasks: 2,
			Parts: []history.Part{{Vertex: "count", Index: 1, Timings: history.Timings{Async: 1500 * time.Millisecond}}},
		})
	}
	add(900, history.Failed, "timeout", "timed out after 1m0s: waiting for count/0")
	add(901, history.Completed, "", "")
	log.Close(t.Context())

	list := parse[[]listed](t, ok(t, "checkpoints", "ls", "--json", p.url()+"/count"))
	if last := list[len(list)-1]; last.ID != 900 || last.Status != "failed" || last.Cause != "timeout" || last.KeptBy == nil || list[0].Status != "completed" {
		t.Errorf("listed %+v", list)
	}
	says := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in\n%s", part, text)
			}
		}
	}
	says(ok(t, "checkpoints", "ls", p.url()+"/count"), "failed (timeout): timed out after 1m0s")
	says(ok(t, "checkpoints", "show", p.url()+"/count", "900"), "failed (timeout)", "waiting for count/0", "by interval", "1 of 2 subtasks", "count/1", "1500.0 ms")
	says(ok(t, "checkpoints", "show", p.url()+"/count", "901"), "completed, and is not retained any more")
	says(ok(t, "checkpoints", "show", p.url()+"/count"), "triggered by ", "SUBTASK", "ACKED AFTER")
	newest, _, err := history.Newest(t.Context(), store)
	if err != nil || newest.Epoch != 9 {
		t.Fatalf("the newest history is %v, %v", newest, err)
	}
	says(ok(t, "checkpoints", "explain", p.url()+"/count", newest.String()), "kept", "lists the checkpoints that ended")
	shown := parse[struct{ History *history.Checkpoint }](t, ok(t, "checkpoints", "show", "--json", p.url()+"/count"))
	if h := shown.History; h == nil || len(h.Parts) == 0 || h.Acked != h.Subtasks || h.NewBytes+h.FullBytes == 0 {
		t.Errorf("show --json has the history %+v", h)
	}
	if plan := ok(t, "checkpoints", "gc", p.url()+"/count"); strings.Contains(plan, newest.String()) {
		t.Errorf("gc would delete history: %s", plan)
	}
}

// A checkpoint starts after so many records, long before the interval has passed.
func TestCheckpointsByRecords(t *testing.T) {
	p := place{t.TempDir()}
	ok(t, p.run("--interval", "1h", "--checkpoint-records", "3000", "--rate-limit", "12000")...)
	store, err := open(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Read(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	by := map[history.Trigger]int{}
	for _, c := range h.Checkpoints {
		by[c.Trigger]++
	}
	if by[history.ByRecords] == 0 || by[history.ByInterval] > 0 || by[history.ByEnd] != 1 {
		t.Errorf("checkpoints by what triggered them: %v", by)
	}
}

func TestShow(t *testing.T) {
	p := begun(t)
	newest := p.newest(t)
	text := ok(t, "checkpoints", "show", p.url()+"/count", number(newest))
	for _, part := range []string{"job count, checkpoint " + number(newest), "kept by newest", "count/0", "count/1", "keys/0", "state known", "operator state", ".sst", "shared with "} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not show %q", part)
		}
	}
	if latest := ok(t, "checkpoints", "show", p.url()+"/count"); latest != text {
		t.Errorf("without an id it does not show the newest: %s", latest)
	}
	type shown struct {
		Manifest struct{ Checkpoint uint64 } `json:"manifest"`
		KeptBy   []string                    `json:"kept_by"`
		Shared   map[string][]uint64         `json:"shared"`
	}
	got := parse[shown](t, ok(t, "checkpoints", "show", "--json", p.url()+"/count", number(newest)))
	if got.Manifest.Checkpoint != newest || len(got.KeptBy) == 0 || len(got.Shared) == 0 {
		t.Errorf("%+v", got)
	}
}

type verified struct {
	Job        string
	Checkpoint uint64
	Objects    int
	Bytes      int64
	OK         bool
	Damaged    []struct {
		Object string
		Files  []string
		Error  string
	}
}

// I1, I10: verify reads every object, names each that is damaged or missing,
// and its exit code tells.
func TestVerify(t *testing.T) {
	p := begun(t)
	ok(t, slices.Concat([]string{"run", "q18", "--events", "3000", "--job-id", "another", "--interval", "40ms"}, p.where()[:4])...)
	all := parse[[]verified](t, ok(t, "checkpoints", "verify", "--json", "--all", p.url()))
	jobs := map[string]int{}
	for _, v := range all {
		jobs[v.Job]++
		if !v.OK || v.Objects == 0 || v.Bytes == 0 || len(v.Damaged) != 0 {
			t.Errorf("%+v", v)
		}
	}
	if jobs["count"] != 3 || jobs["another"] == 0 {
		t.Errorf("verified are %v", jobs)
	}

	m := newestManifest(t, p)
	names := slices.Sorted(maps.Keys(m.Objects()))
	if len(names) < 2 {
		t.Fatalf("objects are %q", names)
	}
	edit(t, filepath.Join(p.root(), "count", names[0]), flip(7))
	edit(t, filepath.Join(p.root(), "count", names[1]), func(b []byte) []byte { return b[:len(b)-1] })
	_, info := newestInfo(t, place{p.dir})
	before := tree(t, p.root())
	r := tidemark(t, "checkpoints", "verify", "--all", p.url())
	says(t, r, 3, "damaged: ", "Nothing was changed", "--restore <id>")
	for _, name := range names[:2] {
		if !strings.Contains(r.out, "count "+number(uint64(info.ID))+": DAMAGED "+name) {
			t.Errorf("it does not name %s: %s", name, r.out)
		}
	}
	if !strings.Contains(r.out, "another ") {
		t.Errorf("the other job was not verified: %s", r.out)
	}
	r = tidemark(t, "checkpoints", "verify", "--json", "--all", p.url())
	found := map[string]bool{}
	for _, v := range parse[[]verified](t, r.out) {
		for _, d := range v.Damaged {
			found[d.Object] = true
			if v.OK || d.Error == "" { // no file is named where only bytes that nobody needs are damaged
				t.Errorf("%+v", v)
			}
		}
	}
	if r.code != 3 || !found[names[0]] || !found[names[1]] || len(found) != 2 {
		t.Errorf("found %v: %v", found, r)
	}
	if d := differences(before, tree(t, p.root())); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
	// A manifest that cannot be read is damage as well, and the rest is verified.
	edit(t, manifestPath(t, p), flip(-9))
	r = tidemark(t, "checkpoints", "verify", p.url()+"/count")
	says(t, r, 3, "damaged: ")
	if !strings.Contains(r.out, "DAMAGED "+info.Manifest) {
		t.Errorf("it does not name the manifest: %s", r.out)
	}
}

// A job that has lost its head is found by verify --all, and every verb says what run
// says. The other jobs are verified all the same.
func TestLostHead(t *testing.T) { // I1
	p := begun(t)
	ok(t, slices.Concat([]string{"run", "q18", "--events", "3000", "--job-id", "another", "--interval", "40ms"}, p.where()[:4])...)
	job := p.url() + "/another"
	says(t, tidemark(t, "checkpoints", "verify", "--all", job), 2, "is a job itself", "leave --all out")
	if err := os.Remove(filepath.Join(p.root(), "another", "head")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, p.root())
	const lost = "head is missing, but there is manifests/"
	for _, verb := range []string{"ls", "show", "verify", "gc"} {
		r := tidemark(t, "checkpoints", verb, job)
		says(t, result{r.code, "", r.out + r.stderr}, 3, lost, "put back head")
	}
	says(t, tidemark(t, slices.Concat([]string{"run", "q18", "--events", "3000", "--job-id", "another"}, p.where()[:4])...), 1, lost, "put back head")
	r := tidemark(t, "checkpoints", "verify", "--all", p.url())
	says(t, r, 3, "1 jobs have lost their head")
	if !strings.Contains(r.out, "another: DAMAGED head: ") || strings.Count(r.out, "count ") != 3 {
		t.Errorf("it says %s", r.out)
	}
	all := parse[[]verified](t, tidemark(t, "checkpoints", "verify", "--all", "--json", p.url()).out)
	if v := all[0]; len(all) != 4 || v.Job != "another" || v.OK || v.Damaged[0].Object != "head" {
		t.Errorf("%+v", all)
	}
	for _, verb := range []string{"ls", "show", "verify"} {
		says(t, tidemark(t, "checkpoints", verb, p.url()), 1, "there is no job here", "<store>/<job-id>")
	}
	if d := differences(before, tree(t, p.root())); len(d) > 0 {
		t.Errorf("something changed: %q", d)
	}
}

// I2, I5: once retention dropped a checkpoint, the objects that it alone had
// are gone, and those that it shared are not.
func TestRetention(t *testing.T) {
	p := begun(t)
	store, err := open(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	infos, err := coordinator.List(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	had := map[string]bool{}
	for _, i := range infos {
		m, err := incremental.ReadManifest(t.Context(), store, i.ID, i.Epoch)
		if err != nil {
			t.Fatal(err)
		}
		for name := range m.Objects() {
			had[name] = true
		}
	}
	if text := ok(t, "checkpoints", "retain", p.url()+"/count", "--policy", "1", "--apply"); !strings.Contains(text, ": dropped\n") {
		t.Errorf("retain says %s", text)
	}
	r := tidemark(t, p.run("--retain", "2")...)
	says(t, r, 0, "the retention of the job's head counts", `head="newest=1" given="newest=2"`)
	reach, err := coordinator.Reachable(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	kept, gone := 0, 0
	there := tree(t, p.root())
	for name := range had {
		_, stored := there[filepath.Join(p.root(), "count", name)]
		_, reachable := reach[name]
		switch {
		case stored != reachable:
			t.Errorf("%s: stored %v, reachable %v", name, stored, reachable)
		case stored:
			kept++
		default:
			gone++
		}
	}
	t.Logf("of the objects of dropped checkpoints %d are kept by the last one, and %d gone", kept, gone)
	if gone == 0 {
		t.Error("no object was dropped")
	}
	if len(there) != len(reach)+1 { // head
		t.Errorf("%d objects, of which %d are reachable", len(there), len(reach))
	}
	if ids, err := retained(t.Context(), p, "count"); err != nil || len(ids) != 1 {
		t.Errorf("retained are %v, %v", ids, err)
	}
	ok(t, "checkpoints", "verify", p.url()+"/count")
}

type collected struct {
	Applied         bool
	Stored, Orphans amount
	Unknown         amount
	Uploads         []string
	Requests        struct{ Gets, Lists, Deletes int }
}

type amount struct {
	Objects int
	Bytes   int64
	Names   []string
}

type explained struct {
	Fate              coordinator.Fate
	Why               string
	Stored            bool
	Bytes             int64
	Checkpoint, Epoch uint64
	Uses              []struct {
		Checkpoint uint64
		Bytes      int64
		Files      []struct{ State string }
	}
}

// I2: a plan of retention changes nothing; a pin, a tag and the newest withstand any
// policy and removal; a mistake says what is wrong.
func TestKeep(t *testing.T) {
	p := begun(t)
	job := p.url() + "/count"
	ids, err := retained(t.Context(), p, "count")
	if err != nil || len(ids) != 3 {
		t.Fatalf("retained are %v, %v", ids, err)
	}
	first, second, newest := number(ids[0]), number(ids[1]), number(ids[2])
	before := tree(t, p.root())
	if text := ok(t, "checkpoints", "retain", job, "--policy", "newest=1,monthly=2"); !strings.Contains(text, newest+": kept by newest, count, monthly\n"+first+": dropped\n"+second+": dropped\nretention: newest=1,monthly=2\nnothing was changed") {
		t.Errorf("the plan is %s", text)
	}
	if d := differences(before, tree(t, p.root())); len(d) > 0 {
		t.Errorf("a plan changed %q", d)
	}
	if text := ok(t, "checkpoints", "pin", job, first, "upgrade", "--reason", "version 7", "--until", "72h"); !strings.Contains(text, first+": kept by count, pin:upgrade\n") {
		t.Errorf("pin says %s", text)
	}
	ok(t, "checkpoints", "tag", job, second, "release")
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"pin", job, first, "upgrade"}, 1, []string{`pin "upgrade" keeps checkpoint ` + first, "version 7", "remove it first"}},
		{[]string{"pin", job, "99", "other"}, 1, []string{"checkpoint 99", "not retained", first + ", " + second}},
		{[]string{"pin", job, first, "other", "--until", "2001-01-01"}, 1, []string{"2001-01-01", "has passed"}},
		{[]string{"pin", job, first, "other", "--until", "soon"}, 2, []string{`"soon" is not a time`}},
		{[]string{"rm", job, first}, 1, []string{"kept by pin:upgrade", "take that away first"}},
		{[]string{"rm", job, second}, 1, []string{"kept by tag:release"}},
		{[]string{"rm", job, newest}, 1, []string{"checkpoint " + newest + " is the newest"}},
		{[]string{"rm", job, "x"}, 2, []string{"give its number"}},
		{[]string{"unpin", job, "nosuch"}, 1, []string{`pin "nosuch"`, "there is none of that name"}},
		{[]string{"retain", job, "--policy", "yearly=1"}, 2, []string{`"yearly=1"`, "newest=3,within=24h"}},
		{[]string{"pin", p.url(), first, "x"}, 1, []string{"there is no job here"}},
	} {
		says(t, tidemark(t, append([]string{"checkpoints"}, c.args...)...), c.code, c.says...)
	}
	ok(t, "checkpoints", "untag", job, "release")
	got := parse[struct {
		Applied  bool
		Policy   string
		Retained []listed
		Dropped  []uint64
	}](t, ok(t, "checkpoints", "retain", "--json", job, "--policy", "newest=1,on-finish=newest", "--apply"))
	if !got.Applied || got.Policy != "newest=1,on-finish=newest" || len(got.Retained) != 2 || !slices.Equal(got.Dropped, ids[1:2]) {
		t.Errorf("retain printed %+v", got)
	}
	ok(t, "checkpoints", "unpin", job, "upgrade")
	ok(t, p.run()...)
	if ids, err := retained(t.Context(), p, "count"); err != nil || len(ids) != 1 {
		t.Errorf("after the end %v are retained, %v", ids, err)
	}
	if plan := parse[collected](t, ok(t, "checkpoints", "gc", "--json", job)); plan.Orphans.Objects != 0 {
		t.Errorf("orphans are left: %+v", plan)
	}
	ok(t, "checkpoints", "verify", job)
}

// I2, I5: gc names what is dead and deletes just that when told to; explain says of
// each object why it is there.
func TestCollectAndExplain(t *testing.T) {
	p := begun(t)
	job := p.url() + "/count"
	ok(t, p.run()...) // epoch 2
	dead := incremental.NewObjectName(1, 1, "count", 0, 1).String()
	path := filepath.Join(p.root(), "count", dead)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, make([]byte, 1<<20), 0o600)); err != nil {
		t.Fatal(err)
	}
	before := tree(t, p.root())
	plan := parse[collected](t, ok(t, "checkpoints", "gc", "--json", job))
	if plan.Applied || !slices.Equal(plan.Orphans.Names, []string{dead}) || plan.Orphans.Bytes != 1<<20 || plan.Unknown.Objects != 0 || len(plan.Uploads) != 0 ||
		plan.Stored.Objects != len(before) || plan.Requests.Deletes != 0 || plan.Requests.Gets > 4 {
		t.Errorf("the plan is %+v, of %d files", plan, len(before))
	}
	if text := ok(t, "checkpoints", "gc", job, "--prices", "storage=1024,get=1000"); !strings.Contains(text, dead) || !strings.Contains(text, "nothing was changed") ||
		!strings.Contains(text, "orphans        1        1MiB    1.0000\n") || !strings.Contains(text, ": 4.0000 dollars") {
		t.Errorf("the plan is %s", text)
	}
	says(t, tidemark(t, "checkpoints", "gc", job, "--prices", "gold=1"), 2, `"gold=1" is not a price`, "storage=0.023,put=0.005,get=0.0004")
	if d := differences(before, tree(t, p.root())); len(d) > 0 {
		t.Errorf("a plan changed %q", d)
	}

	x := parse[explained](t, ok(t, "checkpoints", "explain", "--json", job, dead))
	if x.Fate != coordinator.FateDead || !x.Stored || x.Bytes != 1<<20 || x.Checkpoint != 1 || x.Epoch != 1 || len(x.Uses) != 0 || !strings.Contains(x.Why, "gc --apply") {
		t.Errorf("the dead object is explained by %+v", x)
	}
	m := newestManifest(t, p)
	for name, o := range m.Objects() {
		x := parse[explained](t, ok(t, "checkpoints", "explain", "--json", job, job+"/"+name))
		last := x.Uses[len(x.Uses)-1]
		if x.Fate != coordinator.FateKept || x.Bytes != o.Size || last.Checkpoint != uint64(m.Checkpoint) || last.Bytes > o.Size || len(last.Files) == 0 {
			t.Errorf("%s is explained by %+v", name, x)
		}
		text := ok(t, "checkpoints", "explain", job, name)
		if want := fmt.Sprintf("checkpoint %d of ", m.Checkpoint); !strings.Contains(text, want) || !strings.Contains(text, "kept by newest, count") || !strings.Contains(text, "state ") {
			t.Errorf("%s is explained by %s", name, text)
		}
	}

	if text := ok(t, "checkpoints", "gc", job, "--apply"); !strings.Contains(text, "deleted "+dead) || !strings.Contains(text, "deleted: 1 objects, 1MiB") {
		t.Errorf("gc says %s", text)
	}
	if d := differences(before, tree(t, p.root())); !slices.Equal(d, []string{"gone: " + path}) {
		t.Errorf("gc changed %q", d)
	}
	ok(t, "checkpoints", "verify", job)

	// A job that was never there has nothing to collect. One without head has lost it.
	if err := os.Mkdir(filepath.Join(p.root(), "nosuch"), 0o700); err != nil {
		t.Fatal(err)
	}
	says(t, tidemark(t, "checkpoints", "gc", p.url()+"/nosuch"), 0, "there is nothing below")
	if none := parse[collected](t, ok(t, "checkpoints", "gc", "--json", p.url()+"/nosuch")); none.Stored.Objects != 0 {
		t.Errorf("nothing is %+v", none)
	}
	if err := os.Remove(filepath.Join(p.root(), "count", "head")); err != nil {
		t.Fatal(err)
	}
	before = tree(t, p.root())
	says(t, tidemark(t, "checkpoints", "gc", "--apply", job), 3, "head is missing, but there is manifests/")
	if d := differences(before, tree(t, p.root())); len(d) > 0 {
		t.Errorf("gc without head changed %q", d)
	}
}

// In a copy of a store objects came in any order, so head is ahead of some. The job does not
// start from what is not whole; it names what is, and starts from that if it is told to.
func TestReplicatedCopy(t *testing.T) { // I3, I10
	want, _ := unbroken(t)
	for what, absent := range map[string]func(newest, older *incremental.Manifest) []string{
		"manifest": func(newest, _ *incremental.Manifest) []string {
			return []string{incremental.ManifestName(newest.Checkpoint, newest.Epoch)}
		},
		"data": func(newest, older *incremental.Manifest) []string {
			for name := range newest.Objects() {
				if _, ok := older.Objects()[name]; !ok && strings.HasPrefix(name, incremental.DataPrefix) {
					return []string{name}
				}
			}
			t.Fatal("the newest checkpoint uploaded nothing")
			return nil
		},
		"both of the newest, and one of the next": func(newest, older *incremental.Manifest) []string {
			return []string{incremental.ManifestName(newest.Checkpoint, newest.Epoch), incremental.ManifestName(older.Checkpoint, older.Epoch)}
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := begun(t)
			s, err := open(t.Context(), p, "count")
			if err != nil {
				t.Fatal(err)
			}
			infos, err := coordinator.List(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var all []*incremental.Manifest
			for _, i := range infos {
				m, err := incremental.ReadManifest(t.Context(), s, i.ID, i.Epoch)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, m)
			}
			gone := absent(all[2], all[1])
			if err := s.Delete(t.Context(), gone...); err != nil {
				t.Fatal(err)
			}
			whole := uint64(all[2-len(gone)].Checkpoint)
			r := tidemark(t, p.run()...)
			says(t, r, 1, "the newest checkpoint that has all of its objects is "+number(whole)+": --restore "+number(whole))
			for path := range tree(t, p.output()) {
				var of uint64
				if n, _ := fmt.Sscanf(filepath.Base(path), "part-count.out.%d-", &of); n == 1 && of > whole {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
			}
			ok(t, p.run("--restore", number(whole))...)
			if got := lines(t, p.output()); !slices.Equal(got, want) {
				t.Errorf("%d rows that are not the %d of an unbroken run", len(got), len(want))
			}
		})
	}
}
