package tidemarkcmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entry is a line of state scan.
type entry struct {
	Key    uint64
	MapKey int64 `json:"map_key"`
	Index  *uint64
	Value  json.RawMessage
}

func entries(t *testing.T, out string) (all []entry) {
	t.Helper()
	for line := range strings.Lines(out) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// The job states writes at its end what each of its states holds. state reads the same from
// its last checkpoint, without the job.
func TestStateIsWhatTheJobHas(t *testing.T) {
	p := place{t.TempDir()}
	ok(t, slices.Concat([]string{"run", "states", "--events", "3000", "--interval", "200ms", "--parallelism", "2"}, p.where())...)
	job := p.url() + "/states"
	type row struct{ Key, Records, Last, Items, Entries, Sum, Greatest, Counted int64 }
	rows := map[uint64]row{}
	for _, line := range lines(t, p.output()) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Counted == 0 {
			rows[uint64(r.Key)] = r
		}
	}
	if len(rows) < 100 {
		t.Fatalf("the job wrote %d rows", len(rows))
	}
	scan := func(state string) []entry {
		return entries(t, ok(t, "state", "scan", job, "--operator", "states", "--state", state))
	}
	got := map[uint64]row{}
	each := func(state string, add func(r *row, e entry)) {
		for _, e := range scan(state) {
			r := got[e.Key]
			r.Key = int64(e.Key)
			add(&r, e)
			got[e.Key] = r
		}
	}
	number := func(e entry) (n int64) {
		if _, err := fmt.Sscan(string(e.Value), &n); err != nil {
			t.Fatalf("%s: %v", e.Value, err)
		}
		return n
	}
	each("count", func(r *row, e entry) { r.Records = number(e) })
	each("sum", func(r *row, e entry) { r.Sum = number(e) })
	each("greatest", func(r *row, e entry) { r.Greatest = number(e) })
	each("last", func(r *row, e entry) {
		var v struct{ N int64 }
		if err := json.Unmarshal(e.Value, &v); err != nil {
			t.Fatal(err)
		}
		r.Last = v.N
	})
	each("items", func(r *row, e entry) {
		if e.Index == nil || int64(*e.Index) != r.Items {
			t.Fatalf("item %v of key %d comes after %d", e.Index, e.Key, r.Items)
		}
		r.Items++
	})
	each("entries", func(r *row, _ entry) { r.Entries++ })
	if len(got) != len(rows) {
		t.Errorf("%d keys, want %d", len(got), len(rows))
	}
	for key, want := range rows {
		if got[key] != want {
			t.Errorf("key %d: %+v, want %+v", key, got[key], want)
		}
	}

	// get finds what scan shows.
	key := slices.Collect(func(yield func(uint64) bool) {
		for k := range rows {
			yield(k)
			return
		}
	})[0]
	if one := entries(t, ok(t, "state", "get", job, "--operator", "states", "--state", "items", "--key", fmt.Sprint(key))); int64(len(one)) != rows[key].Items || one[0].Key != key {
		t.Errorf("get of key %d: %d items, want %d", key, len(one), rows[key].Items)
	}
	if all := scan("long"); len(all) != len(rows) {
		t.Errorf("long has %d entries, want %d", len(all), len(rows))
	}
	if some := entries(t, ok(t, "state", "scan", job, "--operator", "states", "--state", "items", "--limit", "5")); len(some) != 5 {
		t.Errorf("a scan of 5 printed %d", len(some))
	}
	var stats struct {
		Keys, Entries int
		Bytes         int64
		Groups        struct {
			Used, Of int
			MaxBytes int64 `json:"max_bytes"`
			Skew     float64
		} `json:"key_groups"`
		Largest []struct {
			Key            uint64
			Entries, Bytes int64
		} `json:"largest_keys"`
	}
	if err := json.Unmarshal([]byte(ok(t, "state", "stats", job, "--operator", "states", "--state", "items", "--json")), &stats); err != nil {
		t.Fatal(err)
	}
	if stats.Keys != len(rows) || stats.Entries != 3000 || len(stats.Largest) != 10 || stats.Largest[0].Bytes < stats.Largest[9].Bytes ||
		stats.Groups.Of != 128 || stats.Groups.Used == 0 || stats.Groups.Skew < 1 || rows[stats.Largest[0].Key].Items != stats.Largest[0].Entries {
		t.Errorf("stats %+v", stats)
	}
	if text := ok(t, "state", "stats", job, "--operator", "states", "--state", "items"); !strings.Contains(text, "states/items at checkpoint") || !strings.Contains(text, "LARGEST KEYS") {
		t.Errorf("stats in words: %s", text)
	}
}

func TestStateMistakes(t *testing.T) {
	p := begun(t)
	job := p.url() + "/count"
	var listed []struct{ Operator, State, Kind, Key, Value string }
	if err := json.Unmarshal([]byte(ok(t, "state", "ls", "--json", job)), &listed); err != nil || len(listed) != 1 || listed[0].Kind != "value" {
		t.Fatalf("%+v, %v", listed, err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"get", job}, 2, "name the key by --key"},
		{[]string{"get", job, "--key", "one"}, 2, "not JSON for a " + listed[0].Key},
		{[]string{"get", job, "--key", "999999999"}, 1, "has nothing for key 999999999"},
		{[]string{"scan", job, "--state", "cuont"}, 2, `no state "cuont" of operator "", only ` + listed[0].Operator + "/" + listed[0].State},
		{[]string{"scan", job + "@999"}, 1, "checkpoint 999 is not retained"},
		{[]string{"scan", job + "@x"}, 2, `checkpoint "x": give its number`},
		{[]string{"scan", p.url() + "/none"}, 1, "name it as <store>/<job-id>"},
	} {
		if r := tidemark(t, append([]string{"state"}, c.args...)...); r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("state %v: %v, want code %d and %q", c.args, r, c.code, c.says)
		}
	}
	// An older checkpoint is read as it was.
	ids, err := retained(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	older, newer := sumOf(t, fmt.Sprintf("%s@%d", job, ids[0])), sumOf(t, job)
	if older == 0 || older >= newer {
		t.Errorf("checkpoint %d counts %d records, the newest %d", ids[0], older, newer)
	}
	// Damage is found before anything is believed (I10).
	objects, err := filepath.Glob(filepath.Join(p.root(), "count", "data", "*", "*"))
	if err != nil || len(objects) == 0 {
		t.Fatal(objects, err)
	}
	for _, o := range objects {
		b, err := os.ReadFile(o)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.Chmod(o, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := tidemark(t, "state", "scan", job); r.code != 3 || r.out != "" {
		t.Errorf("a scan of damaged state: %v", r)
	}
}

// sumOf sums the values of the job's one state.
func sumOf(t *testing.T, target string) (sum int64) {
	t.Helper()
	for _, e := range entries(t, ok(t, "state", "scan", target)) {
		var n int64
		if err := json.Unmarshal(e.Value, &n); err != nil {
			t.Fatalf("%s: %v", e.Value, err)
		}
		sum += n
	}
	return sum
}
