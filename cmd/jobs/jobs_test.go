package jobs_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

const testdata = "../../testdata/"

func run(t *testing.T, name string, o jobs.Options, parallelism int) *jobs.Results {
	t.Helper()
	job, results, err := jobs.Build(name, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Run(context.Background(), job, engine.Config{Parallelism: parallelism, Backends: memstate.Factory{}}); err != nil {
		t.Fatal(err)
	}
	return results
}

// rows reads what a job wrote into a directory.
func rows[T any](t *testing.T, dir string) (all []T) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var v T
			d := json.NewDecoder(strings.NewReader(line))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%s: %q: %v", part, line, err)
			}
			all = append(all, v)
		}
	}
	return all
}

// I3: the digests are those that Flink and DuckDB published, at any
// parallelism.
func TestDigests(t *testing.T) {
	b, err := os.ReadFile(testdata + "nexmark/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	var published []struct {
		Job     string
		Events  int64
		Seed    uint64
		Rate    int64
		Digest  string
		Records int64
		Keys    int64
		Rows    int64
	}
	if err := json.Unmarshal(b, &published); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, j := range jobs.Jobs() {
		known[j.Name] = true
	}
	for i, d := range published {
		if !known[d.Job] || d.Events > 1_000_000 {
			continue
		}
		parallelism := []int{1, 2, 3, 8}
		if d.Events > 100_000 { // one of them, in turn
			parallelism = parallelism[i%4 : i%4+1]
			if testing.Short() {
				continue
			}
		}
		for _, p := range parallelism {
			t.Run(fmt.Sprintf("%s/%d/seed %d/rate %d/parallelism %d", d.Job, d.Events, d.Seed, d.Rate, p), func(t *testing.T) {
				r := run(t, d.Job, jobs.Options{Events: d.Events, Seed: d.Seed, RatePerSecond: d.Rate, Keys: d.Keys, Digest: true}, p)
				sum, rows := r.Digest.Sum()
				if got := fmt.Sprintf("%016x", sum); got != d.Digest || d.Rows != 0 && rows != d.Rows || r.Records != d.Records {
					t.Errorf("digest %s of %d rows from %d records, want %s of %d from %d", got, rows, r.Records, d.Digest, d.Rows, d.Records)
				}
			})
		}
	}
}

// Every seeded job has the same rows at every parallelism.
func TestParallelismChangesNothing(t *testing.T) {
	for _, j := range jobs.Jobs() {
		if !j.Seeded {
			continue
		}
		o := jobs.Options{Events: 20_000, Digest: true}
		if strings.HasPrefix(j.Name, "count") || j.Name == "update" {
			o.Keys = 3000
		}
		var want string
		for _, p := range []int{1, 2, 3, 8} {
			sum, n := run(t, j.Name, o, p).Digest.Sum()
			if got := fmt.Sprintf("%x of %d", sum, n); want == "" {
				want = got
			} else if got != want {
				t.Errorf("%s: %s at parallelism %d, and %s at 1", j.Name, got, p, want)
			}
		}
	}
}

// As changes, q17 emits a row a bid, and the totals of a key are 1, 2, … each
// once.
func TestQ17Changes(t *testing.T) {
	dir := t.TempDir()
	r := run(t, "q17", jobs.Options{Events: 10_000, Emit: jobs.Changes, Output: dir, Digest: true}, 3)
	totals := map[int64][]int64{}
	n := int64(0)
	for _, row := range rows[jobs.Prices](t, dir) {
		totals[row.Auction] = append(totals[row.Auction], row.Total)
		n++
	}
	if _, digested := r.Digest.Sum(); n != r.Records || digested != n {
		t.Errorf("%d rows, %d digested, of %d bids", n, digested, r.Records)
	}
	for auction, seen := range totals {
		slices.Sort(seen)
		for i, total := range seen {
			if total != int64(i)+1 {
				t.Fatalf("auction %d has totals %v", auction, seen)
			}
		}
	}
}

func TestCountChanges(t *testing.T) {
	dir := t.TempDir()
	run(t, "count-hot", jobs.Options{Events: 5000, Keys: 50, Emit: jobs.Changes, Output: dir}, 2)
	last := map[uint64]int64{}
	all := rows[jobs.KeyCount](t, dir)
	for _, row := range all {
		last[row.Key] = max(last[row.Key], row.Count)
	}
	sum := int64(0)
	for _, n := range last {
		sum += n
	}
	if len(all) != 5000 || sum != 5000 {
		t.Errorf("%d rows, and the last ones add up to %d of 5000", len(all), sum)
	}
}

func TestWordcount(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"a.txt": "The cat, the HAT!\r\n\nÜber-cool: 42 cats/cat",
		"b.txt": "don't über 42\n",
	} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "wordcount", jobs.Options{Input: in, Output: out}, 2)
	got := map[string]int64{}
	for _, r := range rows[jobs.WordCount](t, out) {
		got[r.Word] += r.Count
	}
	want := map[string]int64{"the": 2, "cat": 2, "hat": 1, "über": 2, "cool": 1, "42": 2, "cats": 1, "don": 1, "t": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// table reads a result that DuckDB computed, without its header, and as text.
func table(t *testing.T, path string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
}

func sampleFlights(t *testing.T) (all []jobs.Flight) {
	t.Helper()
	b, err := os.ReadFile(testdata + "flights/flights-20k.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var f jobs.Flight
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// Real flights, in each format: the rows are those that DuckDB computed.
func TestFlights(t *testing.T) {
	dir := t.TempDir()
	all := sampleFlights(t)
	parquetFile, err := os.Create(filepath.Join(dir, "in.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	w := pq.NewGenericWriter[jobs.Flight](parquetFile, pq.MaxRowsPerRowGroup(6000))
	if _, err := w.Write(all); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), parquetFile.Close()); err != nil {
		t.Fatal(err)
	}
	csvFile, err := os.Create(filepath.Join(dir, "in.csv"))
	if err != nil {
		t.Fatal(err)
	}
	c := csv.NewWriter(csvFile)
	_ = c.Write([]string{"origin", "destination", "delay", "distance"})
	for _, f := range all {
		_ = c.Write([]string{f.Origin, f.Destination, fmt.Sprint(f.Delay), fmt.Sprint(f.Distance)})
	}
	c.Flush()
	if err := errors.Join(c.Error(), csvFile.Close()); err != nil {
		t.Fatal(err)
	}
	for i, input := range []string{testdata + "flights/flights-20k.jsonl", parquetFile.Name(), csvFile.Name()} {
		t.Run(filepath.Ext(input), func(t *testing.T) {
			out := t.TempDir()
			r := run(t, "flights", jobs.Options{Input: input, Output: out, Digest: true}, i+1)
			var routes, airports []string
			var digest uint64
			for _, r := range rows[jobs.RouteDelays](t, filepath.Join(out, "routes")) {
				routes = append(routes, fmt.Sprintf("%s,%s,%d,%d,%d,%d", r.Origin, r.Destination, r.Flights, r.DelaySum, r.DelayMax, r.DistanceSum))
				digest += r.Hash()
			}
			slices.Sort(routes)
			for _, r := range rows[jobs.AirportDelays](t, filepath.Join(out, "airports")) {
				airports = append(airports, fmt.Sprintf("%d,%s,%d,%d,%d,%v", r.Rank, r.Origin, r.Flights, r.Routes, r.DelaySum, r.Mean))
			}
			if want := table(t, testdata+"flights/flights-20k.routes.csv"); !slices.Equal(routes, want) {
				t.Errorf("%d routes, want the %d of DuckDB", len(routes), len(want))
			}
			if want := table(t, testdata+"flights/flights-20k.airports.csv"); !slices.Equal(airports, want) {
				t.Errorf("airports:\n got %v\nwant %v", airports, want)
			}
			if sum, n := r.Digest.Sum(); sum != digest || int(n) != len(routes) {
				t.Errorf("digest %x of %d rows, want %x of %d", sum, n, digest, len(routes))
			}
		})
	}
}

// Rows that mean nothing stop the job with their place, or are left out.
func TestFlightsMalformed(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in.jsonl")
	lines := `{"delay":1,"distance":2,"origin":"A","destination":"B"}` + "\n" + `{"delay":1}` + "\n"
	if err := os.WriteFile(in, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	job, _, err := jobs.Build("flights", jobs.Options{Input: in})
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Run(context.Background(), job, engine.Config{Parallelism: 1, Backends: memstate.Factory{}})
	if err == nil || !strings.Contains(err.Error(), "in.jsonl line 2 (byte 56): field \"distance\" is missing") {
		t.Errorf("got %v", err)
	}
	out := t.TempDir()
	run(t, "flights", jobs.Options{Input: in, Output: out, OnMalformed: source.Skip, MinFlights: 1}, 1)
	if got := rows[jobs.AirportDelays](t, filepath.Join(out, "airports")); len(got) != 1 || got[0].Flights != 1 || got[0].Origin != "A" {
		t.Errorf("got %+v", got)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		job  string
		o    jobs.Options
		want string
	}{
		{"q99", jobs.Options{}, `no job "q99": use "wordcount", "flights", `},
		{"q17", jobs.Options{Input: "x"}, "leave out input"},
		{"q17", jobs.Options{Keys: 5}, "leave out keys"},
		{"q17", jobs.Options{MinFlights: 5}, "least number of flights"},
		{"q18", jobs.Options{Events: -1}, "-1 events"},
		{"q0", jobs.Options{OnMalformed: source.Skip}, "malformed"},
		{"count", jobs.Options{Emit: 7}, "use final or changes"},
		{"wordcount", jobs.Options{}, "needs an input"},
		{"wordcount", jobs.Options{Input: "x", Events: 1}, "leave out events"},
		{"wordcount", jobs.Options{Input: "x", Seed: 1}, "leave out seed"},
		{"wordcount", jobs.Options{Input: "x", RatePerSecond: 1}, "leave out rate"},
		{"flights", jobs.Options{Input: "x.csv", Emit: jobs.Changes}, "cannot emit changes"},
		{"flights", jobs.Options{Input: "x.csv", MinFlights: -1}, "-1 flights"},
		{"flights", jobs.Options{Input: "x.orc"}, "extension"},
	} {
		_, _, err := jobs.Build(c.job, c.o)
		if !errors.Is(err, jobs.ErrOptions) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want it to say %q", c.job, c.o, err, c.want)
		}
	}
}

func TestEmit(t *testing.T) {
	for _, e := range []jobs.Emit{jobs.Final, jobs.Changes} {
		if got, err := jobs.ParseEmit(e.String()); err != nil || got != e {
			t.Errorf("%v: %v, %v", e, got, err)
		}
	}
	if _, err := jobs.ParseEmit("all"); !errors.Is(err, jobs.ErrOptions) {
		t.Errorf("got %v", err)
	}
}
