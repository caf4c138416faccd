package crash_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/cmd/launch"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/rocks"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/storeurl"
)

// known is what Flink found for a job.
type known struct {
	Job     string
	Events  int64
	Seed    uint64
	Rate    int64
	Digest  string
	Records int64
	Keys    int64
}

// digests returns the smallest entry of each job that is asked for.
func digests(t *testing.T, jobs ...string) (found []known) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/nexmark/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []known
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		var least *known
		for i, k := range all {
			if k.Job == job && (least == nil || k.Events < least.Events) {
				least = &all[i]
			}
		}
		if least == nil {
			t.Fatalf("no digest of job %s is known", job)
		}
		found = append(found, *least)
	}
	return found
}

// I3: killed twice and gone on from a checkpoint each time, a job's digest is
// what Flink found.
func TestDigestsThroughKills(t *testing.T) {
	t.Parallel() // it waits most of the time
	for i, k := range digests(t, "count", "count-hot", "q17", "q18") {
		table := []string{"256MiB", "1MiB"}[i%2] // in the second all state spills
		t.Run(k.Job+"/table "+table, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			url := "file://" + filepath.Join(dir, "store")
			args := []string{
				"run", k.Job, "--events", strconv.FormatInt(k.Events, 10), "--seed", strconv.FormatUint(k.Seed, 10), "--rate", strconv.FormatInt(k.Rate, 10),
				"--digest", "--json", "--checkpoint-store", url, "--state-dir", filepath.Join(dir, "state"), "--interval", "50ms", "--parallelism", "4", "--table-memory", table,
				"--rate-limit", strconv.FormatInt(k.Records/3, 10), // so that it takes three seconds
			}
			if k.Keys > 0 {
				args = append(args, "--keys", strconv.FormatInt(k.Keys, 10))
			}
			first := run(t, nil, args...)
			store, err := storeurl.Open(t.Context(), url, storeurl.Options{Create: true})
			if err != nil {
				t.Fatal(err)
			}
			job := upload.PrefixedReader(store, k.Job)
			first.awaitCheckpoint(job, 1)
			first.kill()
			after := newestCheckpoint(t, job)
			second := run(t, nil, args...)
			second.awaitCheckpoint(job, after+1)
			second.kill()
			after = newestCheckpoint(t, job)
			r := run(t, nil, args...).result()
			if r.ResumedFrom == nil || *r.ResumedFrom != after {
				t.Errorf("it did not go on from the newest checkpoint: %+v", r)
			}
			if r.Digest != k.Digest {
				t.Errorf("digest %s of %d rows, want %s", r.Digest, r.Rows, k.Digest)
			}
		})
	}
}

// I3, I9: neither parallelism nor checkpoints change a result.
func TestDigestsAtEveryParallelism(t *testing.T) {
	onTheWay := 0
	for _, k := range digests(t, "count", "count-hot", "q17", "q18") {
		if k.Keys > 0 {
			// The known ones are of a million events. Here a tenth of them is
			// compared with itself; the million is TestDigestsThroughKills's.
			k.Events, k.Records, k.Keys, k.Digest = k.Events/10, k.Records/10, k.Keys/10, ""
		}
		for _, parallelism := range []int{1, 2, 3, 8} {
			for _, interval := range []time.Duration{0, 20 * time.Millisecond} {
				table := int64(8 << 20)
				if parallelism == 3 {
					table = 64 << 10 // so that all state spills
				}
				t.Run(fmt.Sprintf("%s/parallelism %d/interval %v/table %d", k.Job, parallelism, interval, table), func(t *testing.T) {
					job, results, err := jobs.Build(k.Job, jobs.Options{Events: k.Events, Seed: k.Seed, RatePerSecond: k.Rate, Keys: k.Keys, Digest: true})
					if err != nil {
						t.Fatal(err)
					}
					c := launch.Config{
						Job: job, Store: "file://" + filepath.Join(t.TempDir(), "store"), StateDir: filepath.Join(t.TempDir(), "state"), Interval: interval,
						Rocks: rocks.Options{TableBytes: table, MemoryBytes: 32 << 20}, Engine: engine.Config{Parallelism: parallelism, Restart: engine.NoRestart{}}, Logger: slog.New(slog.DiscardHandler),
					}
					if interval > 0 {
						c.Engine.RateLimit = float64(4 * k.Records) // a quarter of a second
					}
					report, err := launch.Run(t.Context(), c)
					if err != nil {
						t.Fatal(err)
					}
					if interval > 0 {
						onTheWay += report.Checkpoints.Completed - 1 // the last is the final one
					}
					sum, rows := results.Digest.Sum()
					got := fmt.Sprintf("%016x", sum)
					if k.Digest == "" {
						k.Digest = got
					}
					if got != k.Digest || report.Events != k.Records {
						t.Errorf("digest %s of %d rows from %d records, want %s from %d", got, rows, report.Events, k.Digest, k.Records)
					}
				})
			}
		}
	}
	if onTheWay < 16 {
		t.Errorf("%d checkpoints on the way in 16 runs", onTheWay)
	}
}
