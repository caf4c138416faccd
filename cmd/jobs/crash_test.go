package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/cmd/jobs"
	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
	"github.com/tidemark/tidemark/engine/state/memstate"
)

var errInjected = errors.New("injected failure")

// failing is memory that fails when so many values more have been read.
type failing struct {
	memstate.Factory
	reads *atomic.Int64
}

func (f failing) Open(ctx context.Context, r state.OpenRequest) (state.Backend, error) {
	b, err := f.Factory.Open(ctx, r)
	return failingBackend{b, f.reads}, err
}

type failingBackend struct {
	state.Backend
	reads *atomic.Int64
}

func (b failingBackend) Column(d state.Descriptor) (state.Column, error) {
	c, err := b.Backend.Column(d)
	return failingColumn{c, b.reads}, err
}

type failingColumn struct {
	state.Column
	reads *atomic.Int64
}

func (c failingColumn) Get(dst, key []byte) ([]byte, bool, error) {
	if c.reads.Add(-1) == 0 {
		return nil, false, errInjected
	}
	return c.Column.Get(dst, key)
}

// runCrashing runs a job again and again, each Run at another parallelism and
// with a failure at a random read, with checkpoints all the while, until one
// ends; every Run goes on where the one before was.
func runCrashing(t *testing.T, rnd *rand.Rand, name string, o jobs.Options, records int64) *jobs.Results {
	t.Helper()
	co := &enginetest.Coordinator{Every: time.Millisecond}
	for failures := 0; ; failures++ {
		job, results, err := jobs.Build(name, o)
		if err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int64
		if failures < 4 {
			reads.Store(1 + rnd.Int64N(records/3))
		}
		ran, err := enginetest.Execute(t.Context(), job, enginetest.With(co),
			enginetest.Parallelism(1+rnd.IntN(4)),
			enginetest.Config(func(c *engine.Config) {
				c.Backends = failing{reads: &reads}
				c.BatchRecords, c.QueueBatches = 16, 1
				c.RateLimit = 60_000 // slow enough for checkpoints on the way
			}))
		t.Logf("%s: from checkpoint %d to %v", name, ran.Restored, err)
		switch {
		case err == nil && failures == 0:
			t.Fatal("nothing failed")
		case err == nil:
			return results
		case !errors.Is(err, errInjected):
			t.Fatal(err)
		}
	}
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("replay with SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// I3, I9: what a job wrote and digested over crashes, restarts and rescaling is
// what it writes without.
func TestCrashesChangeNothing(t *testing.T) {
	rnd := seeded(t)
	for _, name := range []string{"count-hot", "q17", "q18"} {
		t.Run(name, func(t *testing.T) {
			o := jobs.Options{Events: 6000, Digest: true}
			if name == "count-hot" {
				o.Keys = 500
			}
			want, wantRows := run(t, name, o, 1).Digest.Sum()
			o.Output = t.TempDir()
			r := runCrashing(t, rnd, name, o, o.Events)
			if got, n := r.Digest.Sum(); got != want || n != wantRows {
				t.Errorf("digest %x of %d rows, want %x of %d", got, n, want, wantRows)
			}
			if n := int64(len(rows[map[string]any](t, o.Output))); n != wantRows {
				t.Errorf("%d rows in files, want %d", n, wantRows)
			}
		})
	}
}

// I3: as changes, every bid has its row once, whatever happened.
func TestCrashesLoseNoChange(t *testing.T) {
	rnd := seeded(t)
	o := jobs.Options{Events: 6000, Emit: jobs.Changes, Output: t.TempDir()}
	r := runCrashing(t, rnd, "q17", o, o.Events)
	totals := map[int64][]int64{}
	for _, row := range rows[jobs.Prices](t, o.Output) {
		totals[row.Auction] = append(totals[row.Auction], row.Total)
	}
	n := 0
	for auction, seen := range totals {
		slices.Sort(seen)
		n += len(seen)
		for i, total := range seen {
			if total != int64(i)+1 {
				t.Fatalf("auction %d has totals %v", auction, seen)
			}
		}
	}
	if int64(n) != r.Records {
		t.Errorf("%d rows of %d bids", n, r.Records)
	}
}

// I3, I8: positions in files, too, are those of the checkpoint.
func TestCrashesReadFilesOnce(t *testing.T) {
	rnd := seeded(t)
	in := t.TempDir()
	want := map[string]int64{}
	for f := range 3 {
		var text strings.Builder
		for range 1500 {
			word := fmt.Sprintf("w%d", rnd.IntN(200))
			want[word]++
			text.WriteString(word + []string{" ", "\n", "\r\n", ", "}[rnd.IntN(4)])
		}
		if err := os.WriteFile(filepath.Join(in, fmt.Sprint(f, ".txt")), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := jobs.Options{Input: in, Output: t.TempDir()}
	runCrashing(t, rnd, "wordcount", o, 4500)
	got := map[string]int64{}
	for _, r := range rows[jobs.WordCount](t, o.Output) {
		if _, doubled := got[r.Word]; doubled {
			t.Errorf("word %s twice", r.Word)
		}
		got[r.Word] = r.Count
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
